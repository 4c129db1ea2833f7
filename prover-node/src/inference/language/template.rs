//! Chat templates: how a model wants to be spoken to, in Jinja, as its files say.

use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};
use minijinja_contrib::pycompat::unknown_method_callback;
use oracle::spec::Message;

use super::LanguageError;

const NAME: &str = "chat_template";

/// Steps of a rendering: some hundred times what long conversations need.
const FUEL: u64 = 10_000_000;

/// A parsed template.
///
/// It is given what `transformers` gives it, with one exception: there is no clock. `strftime_now` is not defined, and
/// templates that ask whether it is (Llama 3.2's) write the date that they have for this case. Who calls it without
/// asking gets an error, for the same job must be the same prompt every day.
pub(super) struct Template {
    environment: Environment<'static>,
    /// Texts of the special tokens, by names such as `bos_token`.
    tokens: Vec<(String, String)>,
}

impl Template {
    /// Parses `source`, and tries it on a single message.
    pub(super) fn parse(source: String, tokens: Vec<(String, String)>) -> Result<Self, LanguageError> {
        let mut environment = Environment::new();
        // As `transformers` sets Jinja up.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(refused)?);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned(NAME, source).map_err(refused)?;
        let template = Self { environment, tokens };
        template.try_render(&[Message::user("Hello")]).map_err(refused)?;
        Ok(template)
    }

    /// The prompt that asks for the assistant's answer to `messages`. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// Some templates refuse some conversations, such as one that begins with the assistant. But a job that was paid for
    /// must have an answer, or whoever asks could make all honest machines decline: such a conversation is written as
    /// one message of the user's, with a line `role: content` for each of its messages.
    pub(super) fn render(&self, messages: &[Message]) -> Result<String, LanguageError> {
        self.try_render(messages).or_else(|_| self.try_render(&[as_one(messages)])).map_err(refused)
    }

    fn try_render(&self, messages: &[Message]) -> Result<String, Error> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                Value::from_pairs([("role", message.role.name().to_owned()), ("content", message.content.text())])
            })
            .collect();
        let values = context! {
            messages,
            add_generation_prompt => true,
            tools => Value::from(()),
            documents => Value::from(()),
            ..Value::from_pairs(self.tokens.iter().map(|(name, token)| (name.as_str(), token.as_str())))
        };
        self.environment.get_template(NAME).and_then(|template| template.render(values))
    }
}

fn as_one(messages: &[Message]) -> Message {
    let line = |message: &Message| format!("{}: {}", message.role.name(), message.content.text());
    Message::user(messages.iter().map(line).collect::<Vec<_>>().join("\n").as_str())
}

fn raise_exception(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

#[allow(clippy::needless_pass_by_value)] // `map_err` hands it over.
fn refused(error: Error) -> LanguageError {
    LanguageError::Template(error.to_string().lines().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::spec::Role;

    use super::*;

    fn render(source: &str, messages: &[(Role, &str)]) -> Result<String, LanguageError> {
        let tokens = vec![("bos_token".to_owned(), "<s>".to_owned())];
        let said = |(role, content): &(Role, &str)| Message { role: *role, content: (*content).into() };
        Template::parse(source.to_owned(), tokens)?.render(&messages.iter().map(said).collect::<Vec<_>>())
    }

    #[test]
    fn templates_have_what_transformers_gives_them() {
        let source = r#"{{- bos_token }}
{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- if ns.last < 0 and message['role'] == 'user' %}{% set ns.last = loop.index0 %}{% endif %}
    {%- if message.content is not string %}{% continue %}{% endif %}
    {{- message.role.upper() + ': ' + message.content.split('|')[-1].strip() + '\n' }}
{%- endfor %}
{%- if tools is none and documents is none and not enable_thinking is defined %}{{ {'a': 1} | tojson }}{% endif %}
{%- if add_generation_prompt %}{{ '<' ~ ns.last ~ '>' }}{% endif %}"#;
        let rendered = render(source, &[(Role::System, "x| be brief "), (Role::User, "hi")]).unwrap();
        assert_eq!(rendered, "<s>USER: hi\nSYSTEM: be brief\n{\"a\": 1}<0>");
    }

    #[test]
    fn there_is_no_clock() {
        let asks = "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}26 Jul 2024{% endif %}";
        assert_eq!(render(asks, &[]).unwrap(), "26 Jul 2024");
        assert!(render("{{ strftime_now('%d') }}", &[]).unwrap_err().to_string().contains("strftime_now"));
    }

    #[test]
    fn a_conversation_that_a_template_refuses_is_one_message() {
        let strict = "{% if messages[0].role != 'user' %}{{ raise_exception('users begin') }}{% endif %}<{{ messages | map(attribute='content') | join('|') }}>";
        let said = [(Role::System, "be brief"), (Role::User, "hi")];
        assert_eq!(render(strict, &said[1..]).unwrap(), "<hi>");
        assert_eq!(render(strict, &said).unwrap(), "<system: be brief\nuser: hi>");
        assert_eq!(render(strict, &[(Role::Assistant, "")]).unwrap(), "<assistant: >");
    }

    #[test]
    fn a_template_that_takes_nothing_is_refused_and_none_runs_for_ever() {
        let refused = render("{{ raise_exception('roles must alternate') }}", &[]).unwrap_err().to_string();
        assert!(refused.contains("roles must alternate") && !refused.contains('\n'), "{refused}");
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert!(render(endless, &[]).is_err());
        assert!(render("{% for %}", &[]).is_err());
    }
}
