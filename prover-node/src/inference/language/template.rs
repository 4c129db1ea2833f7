//! Chat templates: how a model wants to be spoken to, in Jinja, as its files say.

use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};
use minijinja_contrib::pycompat::unknown_method_callback;
use oracle::spec::{Message, Role};

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
    /// Parses `source`.
    pub(super) fn parse(source: String, tokens: Vec<(String, String)>) -> Result<Self, LanguageError> {
        let mut environment = Environment::new();
        // As `transformers` sets Jinja up.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(refused)?);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned(NAME, source).map_err(refused)?;
        Ok(Self { environment, tokens })
    }

    /// The prompt that asks for the assistant's answer to `messages`. Bytes that are not UTF-8 become U+FFFD.
    pub(super) fn render(&self, messages: &[Message]) -> Result<String, LanguageError> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                Value::from_pairs([("role", role(message.role).to_owned()), ("content", message.content.text())])
            })
            .collect();
        let values = context! {
            messages,
            add_generation_prompt => true,
            tools => Value::from(()),
            documents => Value::from(()),
            ..Value::from_pairs(self.tokens.iter().map(|(name, token)| (name.as_str(), token.as_str())))
        };
        self.environment.get_template(NAME).and_then(|template| template.render(values)).map_err(refused)
    }
}

fn raise_exception(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

#[allow(clippy::needless_pass_by_value)] // `map_err` hands it over.
fn refused(error: Error) -> LanguageError {
    LanguageError::Template(error.to_string().lines().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
    fn a_template_may_refuse_and_does_not_run_for_ever() {
        let refused = render("{{ raise_exception('roles must alternate') }}", &[]).unwrap_err().to_string();
        assert!(refused.contains("roles must alternate") && !refused.contains('\n'), "{refused}");
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert!(render(endless, &[]).is_err());
        assert!(render("{% for %}", &[]).is_err());
    }
}
