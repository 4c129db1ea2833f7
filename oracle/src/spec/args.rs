//! How a text is to be written, as typed: the same flags for requesters and verifiers.

use super::{Message, Role, TextSpec};

/// What is typed beside the prompt of a text.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Text")]
pub struct TextArgs {
    /// How the model is to behave
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Tokens to generate, at most [default: the manifest's]
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// Width of the beam search; 1 is greedy decoding [default: the manifest's]
    #[arg(long, value_name = "N")]
    beams: Option<u8>,
    /// End the text before this; may be given several times
    #[arg(long = "stop", value_name = "TEXT")]
    stops: Vec<String>,
}

impl TextArgs {
    /// A flag that was typed, to say that it has no place here.
    #[must_use]
    pub fn first_typed(&self) -> Option<&'static str> {
        let Self { system, max_tokens, beams, stops } = self;
        let typed = [
            system.is_some().then_some("--system"),
            max_tokens.is_some().then_some("--max-tokens"),
            beams.is_some().then_some("--beams"),
            (!stops.is_empty()).then_some("--stop"),
        ];
        typed.into_iter().flatten().next()
    }

    /// Tokens and beams, if both were typed: then no default is needed.
    #[must_use]
    pub fn lengths(&self) -> Option<(u32, u8)> {
        self.max_tokens.zip(self.beams)
    }

    /// What a request that says nothing gets, with what was typed.
    #[must_use]
    pub fn complete(&self, usual: TextSpec) -> TextSpec {
        let system = self.system.as_deref().map(|text| Message { role: Role::System, content: text.into() });
        TextSpec {
            messages: system.into_iter().chain(usual.messages).collect(),
            max_tokens: self.max_tokens.unwrap_or(usual.max_tokens),
            beams: self.beams.unwrap_or(usual.beams),
            stops: self.stops.iter().map(|stop| stop.as_str().into()).collect(),
        }
    }
}
