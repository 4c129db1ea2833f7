//! `prover-node init`: asks for what `run` needs, makes the operator's key, and writes the settings file.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::{Path, PathBuf, absolute},
};

use clap::{Arg, ArgMatches, Args as _, Command, parser::ValueSource};
use dialoguer::Input;
use eyre::{OptionExt as _, WrapErr as _, bail, ensure, eyre};
use oracle::{
    chain::{Chain, ChainArgs, connect},
    files::write_new,
    keys::create_keystore,
};
use serde_json::json;

use super::{
    print_json,
    run::RunArgs,
    settings::{is_setting, takes_list, usual_path},
};

/// What was typed after `init`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Whatever is given by a flag or a variable is not asked for. The file that it writes is read by every command: it is \
~/.config/quorate/prover-node.toml, or the one that --config names.

Examples:
  prover-node init
  prover-node init --yes --rpc-url http://127.0.0.1:8545 --keystore operator.json --password-file password \\
      --owner 0x<owner> --listen 0.0.0.0:9700 --public-url https://me.example")]
pub struct InitArgs {
    /// Ask nothing: what is not given keeps its default
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// What is asked for, in this order: the setting, and the question.
const QUESTIONS: [(&str, &str); 8] = [
    ("rpc-url", "Which Ethereum node? Its JSON-RPC URL"),
    ("deployment", "The file with the contracts' addresses"),
    (
        "model-dir",
        "Which models? Their folders, or the names of some that `oracle models pull` has got, with commas between",
    ),
    ("keystore", "The operator's keystore; it is made if it is not there"),
    ("password-file", "File with its password (empty: asked for, or from QUORATE_PASSWORD, at every start)"),
    ("owner", "For which owner's seats? An address (empty: the operator's own only)"),
    ("listen", "Address to serve outputs at"),
    ("public-url", "URL at which others reach that address (empty: the address itself)"),
];

/// Settings that name files, which a service must find from anywhere.
const PATHS: [&str; 7] = ["deployment", "keystore", "password-file", "data-dir", "models-dir", "tls-cert", "tls-key"];

/// Values by settings, as they would be typed.
type Answers = BTreeMap<String, Vec<String>>;

/// Asks, makes what is missing, and says what comes next.
pub async fn execute(args: InitArgs, config: Option<PathBuf>, matches: &ArgMatches, json: bool) -> eyre::Result<()> {
    let path =
        config.or_else(usual_path).ok_or_eyre("there is no home to put the settings in: name a file with --config")?;
    ensure!(!path.exists(), "{} exists already: name another file with --config, or edit it", path.display());
    let asks = !args.yes;
    ensure!(
        !asks || io::stdin().is_terminal(),
        "there is nobody to ask: give the answers as flags (see --help), and --yes"
    );

    let command = RunArgs::augment_args(Command::new("init"));
    let mut answers = given(&command, matches.subcommand_matches("init").ok_or_eyre("init was not typed")?);
    if asks {
        eprintln!("Settings will be written to {}. Enter takes what is in brackets.\n", path.display());
        for (setting, question) in QUESTIONS {
            ask(&command, &mut answers, setting, question, &path)?;
        }
    } else {
        answers.entry("keystore".to_owned()).or_insert_with(|| vec![default_keystore(&path)]);
    }
    let chain = chain_of(&mut answers, &args.run.chain).await?;
    anchor(&mut answers)?;
    let operator = operator_of(&answers, &chain)?;
    answers.insert("operator".to_owned(), vec![operator.to_string()]);

    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let text = document(&command, &answers);
    write_new(&path, text.as_bytes()).map_err(|error| eyre!("cannot write {}: {error}", path.display()))?;
    let keystore = answers["keystore"].concat();
    if json {
        let chain_id = chain.deployment.chain_id;
        return print_json(&json!({ "config": path, "keystore": keystore, "operator": operator, "chainId": chain_id }));
    }
    println!("settings  {}", path.display());
    println!("keystore  {keystore}");
    println!("operator  {operator}");
    println!("\nNext:");
    println!("  send {operator} some ETH for gas");
    println!(
        "  prover-node register --keystore OWNER.json --model MODEL    # with the owner's key: takes a seat; for each model"
    );
    println!("  prover-node doctor                                          # is everything in order?");
    println!("  prover-node run");
    Ok(())
}

/// What was given by flag or variable.
fn given(command: &Command, matches: &ArgMatches) -> Answers {
    let is_given = |arg: &&Arg| {
        let source = matches.value_source(arg.get_id().as_str());
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let answer = |arg: &Arg| {
        let raw = matches.get_raw(arg.get_id().as_str())?;
        let values = raw.map(|value| value.to_string_lossy().into_owned()).collect();
        Some((arg.get_long()?.to_owned(), values))
    };
    command.get_arguments().filter(|arg| is_setting(arg)).filter(is_given).filter_map(answer).collect()
}

fn ask(command: &Command, answers: &mut Answers, setting: &str, question: &str, path: &Path) -> eyre::Result<()> {
    if answers.contains_key(setting) {
        return Ok(());
    }
    let takes = |text: &String| match text.is_empty() {
        true => Ok(()),
        false => try_value(command, setting, text),
    };
    let default = match setting {
        "keystore" => default_keystore(path),
        // What the chain's id names, which is known later.
        "deployment" => String::new(),
        _ => default_of(command, setting),
    };
    let answer: String =
        Input::new().with_prompt(question).default(default).allow_empty(true).validate_with(takes).interact_text()?;
    if !answer.is_empty() {
        let takes_list = command.get_arguments().any(|arg| arg.get_long() == Some(setting) && takes_list(arg));
        let values =
            if takes_list { answer.split(',').map(|value| value.trim().to_owned()).collect() } else { vec![answer] };
        answers.insert(setting.to_owned(), values);
    }
    Ok(())
}

/// Whether the flag takes it, in clap's words.
fn try_value(command: &Command, setting: &str, text: &str) -> Result<(), String> {
    let typed = ["init".to_owned(), format!("--{setting}={text}")];
    match command.clone().try_get_matches_from(typed) {
        Err(error) if error.kind() == clap::error::ErrorKind::ValueValidation => {
            Err(error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
        }
        _ => Ok(()),
    }
}

fn default_of(command: &Command, setting: &str) -> String {
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(setting));
    let default = arg.and_then(|arg| arg.get_default_values().first());
    default.map_or_else(String::new, |value| value.to_string_lossy().into_owned())
}

/// Beside the settings.
fn default_keystore(path: &Path) -> String {
    path.with_file_name("operator.json").display().to_string()
}

/// That of the answers, which must answer itself.
async fn chain_of(answers: &mut Answers, given: &ChainArgs) -> eyre::Result<Chain> {
    let mut typed = vec!["init".to_owned()];
    for setting in ["rpc-url", "deployment"] {
        typed.extend(answers.get(setting).into_iter().flatten().map(|value| format!("--{setting}={value}")));
    }
    let matches = ChainArgs::augment_args(Command::new("init")).try_get_matches_from(typed);
    let args = match matches {
        Ok(matches) => <ChainArgs as clap::FromArgMatches>::from_arg_matches(&matches)?,
        Err(_) => given.clone(),
    };
    let chain = connect(&args).await?;
    let usual = PathBuf::from(format!("deployments/{}.json", chain.deployment.chain_id));
    answers.entry("deployment".to_owned()).or_insert_with(|| vec![usual.display().to_string()]);
    Ok(chain)
}

/// Makes paths absolute: a service starts elsewhere.
fn anchor(answers: &mut Answers) -> eyre::Result<()> {
    for setting in PATHS {
        for value in answers.get_mut(setting).into_iter().flatten() {
            *value = absolute(&*value)?.display().to_string();
        }
    }
    // It may be a bucket.
    for value in answers.get_mut("store").into_iter().flatten().filter(|value| !value.contains("://")) {
        *value = absolute(&*value)?.display().to_string();
    }
    // It may be a name, too.
    for value in answers.get_mut("model-dir").into_iter().flatten().filter(|value| Path::new(value).is_dir()) {
        *value = absolute(&*value)?.display().to_string();
    }
    Ok(())
}

/// Opens the keystore, or makes it.
fn operator_of(answers: &Answers, chain: &Chain) -> eyre::Result<alloy::primitives::Address> {
    let value = |setting: &str| answers.get(setting).and_then(|values| values.first()).map(PathBuf::from);
    let Some(keystore) = value("keystore") else { bail!("the node needs a key: name a keystore with --keystore") };
    let password_file = value("password-file");
    if let Some(folder) = keystore.parent().filter(|_| !keystore.exists()) {
        std::fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make the folder {}", folder.display()))?;
        return Ok(create_keystore(&keystore, password_file.as_deref())?.address());
    }
    let key = oracle::keys::KeyArgs::of(keystore, password_file);
    Ok(key.load(chain.deployment.chain_id)?.address())
}

/// The settings file: every setting with what it is, those without an answer as comments with their defaults.
fn document(command: &Command, answers: &Answers) -> String {
    let mut text = "\
# Settings of prover-node, written by `prover-node init`. Each is a flag of the same name, and a variable QUORATE_*:
# a flag comes before its variable, the variable before this file, and this file before the default.
"
    .to_owned();
    if let Some(operator) = answers.get("operator") {
        text += &format!("\n# Address of the key that the node runs with\noperator = {}\n", toml_of(operator, false));
    }
    let mut heading = None;
    for arg in command.get_arguments().filter(|arg| is_setting(arg)) {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            text += &format!("\n# {}\n", heading.unwrap_or("The node").to_uppercase());
        }
        text += &setting_text(arg, answers);
    }
    text
}

fn setting_text(arg: &Arg, answers: &Answers) -> String {
    let name = arg.get_long().unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let takes_list = takes_list(arg);
    let mut defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if matches!(arg.get_action(), clap::ArgAction::SetTrue) {
        defaults.push("false".to_owned());
    }
    let line = match (answers.get(name), defaults.is_empty()) {
        (Some(values), _) => format!("{name} = {}", toml_of(values, takes_list)),
        (None, false) => format!("#{name} = {}", toml_of(&defaults, takes_list)),
        (None, true) => format!("#{name} ="),
    };
    format!("\n{}{line}\n", wrapped(&help))
}

/// As comments of a hundred columns.
fn wrapped(help: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in help.split_whitespace() {
        let last = lines.last_mut().filter(|line| line.len() + word.len() < 100);
        match last {
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(format!("# {word}")),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn toml_of(values: &[String], takes_list: bool) -> String {
    let one = |text: &String| match text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok() {
        true => text.clone(),
        false => toml::Value::String(text.clone()).to_string(),
    };
    match (takes_list, values) {
        (false, [value]) => one(value),
        _ => format!("[{}]", values.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_was_answered_and_comments_on_the_rest() {
        let command = RunArgs::augment_args(Command::new("init"));
        let answers = [("rpc-url", vec!["http://a"]), ("owner", vec!["0x1", "0x2"]), ("max-connections", vec!["3"])];
        let answers = answers.map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()));
        let text = document(&command, &Answers::from(answers));
        let table = text.parse::<toml::Table>().unwrap();

        assert_eq!(table.len(), 3, "{text}");
        assert_eq!(table["owner"].as_array().unwrap().len(), 2);
        assert_eq!(table["max-connections"].as_integer(), Some(3));
        assert!(text.contains("#listen = \"127.0.0.1:9700\"") && text.contains("#no-appeal = false"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }
}
