//! Settings: what a TOML file says, as the defaults of the flags of the same names.
//!
//! Every flag that has an environment variable is a setting. A flag comes before its variable, the variable before the
//! file, and the file before the program's own default.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, Command, error::ContextKind};
use toml::{Table, Value};

/// The flag that names the file, which is no setting itself.
const CONFIG: &str = "config";

/// What a file says, by the flags' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

/// Why a settings file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not there, or not ours to read.
    #[error("cannot read the settings {}: {source}; `prover-node init` writes one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML.
    #[error("{} is not a settings file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// In the parser's words, with the line.
        reason: String,
    },
    /// No flag is called so.
    #[error("{} has a setting {key}, which there is not{}", path.display(), suggestion(nearest))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// As written.
        key: String,
        /// The setting that was probably meant.
        nearest: Option<String>,
    },
    /// A table or a date, or several values for what takes one.
    #[error("{} sets {key} to something that a flag cannot take: one text, number or boolean{}", path.display(), if *list { ", or a list of them" } else { "" })]
    NotAValue {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
        /// Whether it may be given several times.
        list: bool,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |nearest| format!("; do you mean {nearest}?"))
}

impl Settings {
    /// Reads the file that `asked` names, or the usual one if it is there.
    pub fn read(asked: Option<&Path>, command: &Command) -> Result<Self, SettingsError> {
        let path = match (asked, usual_path()) {
            (Some(path), _) => path.to_owned(),
            (None, Some(path)) if path.exists() => path,
            _ => return Ok(Self::default()),
        };
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text, command),
            Err(source) => Err(SettingsError::Unreadable { path, source }),
        }
    }

    fn parse(path: PathBuf, text: &str, command: &Command) -> Result<Self, SettingsError> {
        let table = text.parse::<Table>().map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            SettingsError::Malformed { path: path.clone(), reason: format!("line {line}: {}", error.message()) }
        })?;
        let known = settings_of(command);
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let Some(takes_list) = known.get(&key).copied() else {
                let nearest = nearest(&key, known.into_keys());
                return Err(SettingsError::Unknown { path, key, nearest });
            };
            match texts(&value, takes_list) {
                Some(texts) => values.insert(key, texts),
                None => return Err(SettingsError::NotAValue { path, key, list: takes_list }),
            };
        }
        Ok(Self { path, values })
    }

    /// The command, with the values as defaults of its flags and of those of its subcommands.
    #[must_use]
    pub fn as_defaults_of(&self, command: Command) -> Command {
        let command = command.mut_args(|arg| match self.of(&arg).map(Vec::as_slice) {
            Some([_, _, ..]) if !takes_list(&arg) => must_be_said(arg),
            Some(values) => arg.required(false).default_values(values.to_owned()),
            None => arg,
        });
        command.mut_subcommands(|subcommand| self.as_defaults_of(subcommand))
    }

    /// The file that is to blame for a value that a flag does not take.
    #[must_use]
    pub fn culprit(&self, error: &clap::Error) -> Option<&Path> {
        let text = |kind| error.get(kind).map(ToString::to_string);
        let (arg, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
        let name = arg.trim_start_matches("--").split([' ', '=']).next()?;
        self.values.get(name).is_some_and(|values| values.contains(&value)).then_some(&self.path)
    }

    fn of(&self, arg: &Arg) -> Option<&Vec<String>> {
        self.values.get(arg.get_long().filter(|_| is_setting(arg))?)
    }
}

/// Where settings are unless it is said otherwise: `~/.config/quorate/prover-node.toml`. None without a home.
#[must_use]
pub fn usual_path() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("quorate/prover-node.toml"))
}

/// Whether a file may set it.
#[must_use]
pub fn is_setting(arg: &Arg) -> bool {
    arg.get_env().is_some() && arg.get_long().is_some_and(|long| long != CONFIG)
}

/// Whether it may be given several times.
pub(crate) fn takes_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The file has several of what this takes one of: which is for people to say, if it matters.
fn must_be_said(arg: Arg) -> Arg {
    match arg.get_default_values().is_empty() {
        true => arg,
        false => arg.default_value(None::<&'static str>).required(true),
    }
}

/// All settings, and whether any command takes several values.
fn settings_of(command: &Command) -> BTreeMap<String, bool> {
    let own = command
        .get_arguments()
        .filter(|arg| is_setting(arg))
        .filter_map(|arg| Some((arg.get_long()?.to_owned(), takes_list(arg))));
    let mut settings: BTreeMap<_, bool> = own.collect();
    for (name, takes_list) in command.get_subcommands().flat_map(settings_of) {
        // `run` takes several of what `generate` takes one of.
        settings.entry(name).and_modify(|any| *any |= takes_list).or_insert(takes_list);
    }
    settings
}

fn nearest(key: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let key = key.replace('_', "-");
    let likeness = |name: &String| strsim::jaro_winkler(&key, name);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.7)
}

/// As they would be typed.
fn texts(value: &Value, takes_list: bool) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(vec![value.to_string()]),
        Value::Array(values) if takes_list => {
            let each = values.iter().map(|value| texts(value, false));
            each.collect::<Option<Vec<_>>>().map(|texts| texts.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// The names of all settings.
#[must_use]
pub fn names(command: &Command) -> BTreeSet<String> {
    settings_of(command).into_keys().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::value_parser;

    use super::*;

    fn command() -> Command {
        let port = Arg::new("port").long("port").env("TEST_PORT_OF_QUORATE").value_parser(value_parser!(u16));
        let owner = Arg::new("owner").long("owner").env("TEST_OWNER_OF_QUORATE").action(ArgAction::Append);
        let quick = Arg::new("quick").long("quick").env("TEST_QUICK_OF_QUORATE").action(ArgAction::SetTrue);
        let dev_key = Arg::new("dev_key").long("dev-key");
        let run = Command::new("run").args([port.default_value("9"), owner, quick, dev_key]);
        Command::new("node").subcommand(run)
    }

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse("node.toml".into(), text, &command())
    }

    fn run(text: &str, typed: &[&str]) -> clap::error::Result<clap::ArgMatches> {
        let typed = ["node", "run"].iter().chain(typed);
        let matches = parse(text).unwrap().as_defaults_of(command()).try_get_matches_from(typed)?;
        Ok(matches.subcommand().unwrap().1.clone())
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_the_default() {
        let port = |text, typed| *run(text, typed).unwrap().get_one::<u16>("port").unwrap();

        assert_eq!(port("", &[]), 9);
        assert_eq!(port("port = 7", &[]), 7);
        assert_eq!(port("port = \"7\"", &["--port", "8"]), 8);
    }

    #[test]
    fn lists_and_booleans_are_as_if_typed() {
        let matches = run("owner = [\"a\", \"b\"]\nquick = true", &[]).unwrap();

        assert_eq!(matches.get_many::<String>("owner").unwrap().collect::<Vec<_>>(), ["a", "b"]);
        assert!(matches.get_flag("quick"));
        assert!(!run("quick = false", &[]).unwrap().get_flag("quick"));
    }

    #[test]
    fn who_takes_one_of_what_the_file_has_several_of_must_be_told_which() {
        let model = || Arg::new("model").long("model").env("TEST_MODEL_OF_QUORATE").default_value("a");
        let generate = Command::new("generate").arg(model());
        let command = command().subcommands([generate, Command::new("all").arg(model().action(ArgAction::Append))]);
        let models = |text, typed: &[&str]| -> clap::error::Result<Vec<String>> {
            let settings = Settings::parse("node.toml".into(), text, &command).unwrap();
            let typed = ["node"].iter().chain(typed);
            let matches = settings.as_defaults_of(command.clone()).try_get_matches_from(typed)?;
            let given = matches.subcommand().unwrap().1.get_many::<String>("model").unwrap();
            Ok(given.cloned().collect())
        };

        assert_eq!(models("model = [\"b\", \"c\"]", &["all"]).unwrap(), ["b", "c"]);
        assert!(models("model = [\"b\", \"c\"]", &["generate"]).unwrap_err().to_string().contains("--model"));
        assert_eq!(models("model = [\"b\", \"c\"]", &["generate", "--model=c"]).unwrap(), ["c"]);
        assert_eq!(models("model = [\"b\"]", &["generate"]).unwrap(), ["b"]);
    }

    #[test]
    fn a_setting_that_there_is_not_is_named_with_the_nearest_one() {
        let wrong = |text| parse(text).unwrap_err().to_string();

        assert_eq!(wrong("prot = 7"), "node.toml has a setting prot, which there is not; do you mean port?");
        assert_eq!(wrong("xyz = 7"), "node.toml has a setting xyz, which there is not");
        assert_eq!(wrong("config = \"a\""), "node.toml has a setting config, which there is not");
        assert!(wrong("dev-key = \"0x1\"").contains("which there is not"), "a key is never read from a file");
    }

    #[test]
    fn what_is_no_toml_or_no_value_is_said_with_its_place() {
        let wrong = |text| parse(text).unwrap_err().to_string();

        assert!(wrong("port = 7\nport = = 8").contains("line 2: "), "{}", wrong("port = 7\nport = = 8"));
        assert!(wrong("port = [7, 8]").contains("port"));
        assert!(wrong("[port]\na = 1").contains("port"));
    }

    #[test]
    fn a_value_that_a_flag_does_not_take_is_blamed_on_the_file() {
        let settings = parse("port = \"many\"").unwrap();
        let error = run("port = \"many\"", &[]).unwrap_err();

        assert_eq!(settings.culprit(&error), Some(Path::new("node.toml")));
        let typed = run("port = 7", &["--port", "many"]).unwrap_err();
        assert_eq!(parse("port = 7").unwrap().culprit(&typed), None);
    }
}
