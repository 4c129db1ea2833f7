//! What an operator is promised: a node from a settings file, told well from ill, that accounts for its money and keeps
//! its secrets.

use std::{collections::BTreeSet, fs, net::TcpListener, path::Path, process::Command};

use alloy::{
    primitives::{Address, B256, U256, hex},
    providers::ext::AnvilApi as _,
    transports::http::reqwest,
};
use eyre::{OptionExt as _, Result, ensure};
use oracle::{
    chain::IGenerationOracle::{Outcome, Phase, Step},
    keys::address_of,
};
use prover_node::{job::DrawKey, salt::SaltKey};
use quorate_tests::{
    by_hand::made_up, command::Cli, process::Process, programs, terminal::Terminal, verifier::endpoint,
};
use serde_json::{Value, json};

use crate::play::{PATIENCE, Play, bond, share};

/// Enter takes what is in brackets, and what makes no sense is asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn init_asks_for_what_it_was_not_given() -> Result<()> {
    let play = Play::begin().await?;
    let (config, password) = (play.devnet.folder.join("node/settings.toml"), play.devnet.folder.join("password"));
    fs::write(&password, "a long password\n")?;
    let mut command = Command::new(programs::built("prover-node")?);
    command.current_dir(programs::repository()).arg("--config").arg(&config).args(["init", "--listen", "127.0.0.1:9"]);

    let mut terminal = Terminal::start(command)?;
    terminal.answer("Which Ethereum node?", &play.devnet.rpc_url())?;
    terminal.answer("the contracts' addresses", &play.devnet.deployment_file.display().to_string())?;
    terminal.answer("Which models?", "")?;
    terminal.answer("The operator's keystore", "")?;
    terminal.answer("File with its password", &password.display().to_string())?;
    terminal.answer("For which owner's seats?", "somebody")?;
    terminal.hear("invalid value 'somebody'")?;
    let owner = play.devnet.party("owner")?.address().to_string();
    terminal.answer("For which owner's seats?", &owner)?;
    terminal.answer("URL at which others reach", "")?;
    ensure!(terminal.end()?.success(), "init failed");

    let operator = address_of(&config.with_file_name("operator.json"))?;
    let settings = fs::read_to_string(&config)?;
    for line in
        [format!("operator = \"{operator}\""), format!("owner = [\"{owner}\"]"), "listen = \"127.0.0.1:9\"".into()]
    {
        ensure!(settings.lines().any(|set| set == line), "{line} is not in\n{settings}");
    }
    Ok(())
}

/// From nothing to a node that works, as docs/OPERATING.md has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_set_up_by_init_found_well_by_doctor_and_runs_from_its_settings() -> Result<()> {
    let play = Play::begin().await?;
    let folder = &play.devnet.folder;
    let (config, keystore, password) =
        (folder.join("node/settings.toml"), folder.join("node/operator.json"), folder.join("operator.password"));
    fs::write(&password, "a long password\n")?;
    let listen = free_address()?;
    let owner = play.devnet.party("owner")?;

    let init = || -> Result<Cli> {
        Ok(play
            .devnet
            .prover_node()?
            .arg("init")
            .args(["--yes", "--listen", &listen, "--public-url", &format!("http://{listen}"), "--finality", "1"])
            .args(["--metrics-listen", "127.0.0.1:0", "--threads", "1", "--owner", &owner.address().to_string()])
            .arg("--config")
            .arg(&config)
            .arg("--keystore")
            .arg(&keystore)
            .arg("--password-file")
            .arg(&password)
            .arg("--model-dir")
            .arg(programs::bundled_model())
            .arg("--data-dir")
            .arg(folder.join("node/data")))
    };
    let made = init()?.json().await?;
    let operator = address_of(&keystore)?;
    assert_eq!(made["operator"], json!(operator));
    ensure!(init()?.refuse().await?.contains("exists already"), "settings are never overwritten");

    let with_settings = || -> Result<Cli> { Ok(Cli::prover_node()?.arg("--config").arg(&config)) };
    let sick = with_settings()?.args(["doctor", "--json"]).end().await?;
    ensure!(!sick.status.success(), "an operator without money is found ill");
    assert_eq!(state(&serde_json::from_str(&sick.stdout)?, "balance")?, "failing");

    play.devnet.chain.provider.anvil_set_balance(operator, U256::from(10).pow(U256::from(18))).await?;
    with_settings()?.args(["register", "--model", &play.model.to_string()]).signed_by(&owner).succeed().await?;
    play.age().await?;
    let before = with_settings()?.arg("doctor").json().await?;
    for (check, expected) in [
        ("contracts", "ok"),
        ("key", "ok"),
        ("model", "ok"),
        ("balance", "ok"),
        ("seats", "ok"),
        ("port", "ok"),
        ("self-test", "warning"),
        ("outside", "warning"),
        ("announced", "warning"),
    ] {
        assert_eq!(state(&before, check)?, expected, "{check} in {before:#}");
    }

    let mut run = Command::new(programs::built("prover-node")?);
    run.args(["run", "--config"]).arg(&config);
    let _node = Process::start(run, &folder.join("operator.log"))?;
    play.devnet.until("the node", PATIENCE, async || endpoint(&play.devnet, operator).await).await?;
    let running = with_settings()?.arg("doctor").json().await?;
    for check in ["port", "self-test", "outside", "announced"] {
        assert_eq!(state(&running, check)?, "ok", "{check} in {running:#}");
    }
    let status = with_settings()?.arg("status").json().await?;
    assert_eq!(status["account"], json!(operator));
    assert_eq!(status["seats"].as_array().map(Vec::len), Some(1));
    Ok(())
}

/// The word of one check.
fn state(report: &Value, check: &str) -> Result<String> {
    let checks = report["checks"].as_array().ok_or_eyre("no checks")?;
    let found = checks
        .iter()
        .find(|found| found["name"] == check)
        .ok_or_eyre(format!("{check} was not checked: {report:#}"))?;
    Ok(found["state"].as_str().unwrap_or_default().to_owned())
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_in_the_settings_is_named_with_what_was_meant() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("node.toml");
    fs::write(&settings, "listn = \"127.0.0.1:1\"\n")?;
    let said = Cli::prover_node()?.arg("status").arg("--config").arg(&settings).refuse().await?;
    ensure!(said.contains("listn") && said.contains("do you mean listen?"), "{said}");

    fs::write(&settings, "listen = \"nowhere\"\n")?;
    let ended = Cli::prover_node()?.arg("run").arg("--config").arg(&settings).end().await?;
    ensure!(ended.stderr.contains("node.toml") && ended.stderr.contains("--listen"), "{}", ended.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_did_is_counted_and_accounted_for() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob"]).await?;
    let fraud = play.by_hand("carol").await?;

    let job = play.submit("a fox").await?;
    play.phase(job, Phase::Commit).await?;
    fraud.commit(job, &made_up(1)).await?;
    play.phase(job, Phase::Reveal).await?;
    fraud.reveal(job, &made_up(1)).await?;
    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);

    let paid = explain(&play, job, nodes[0].party.address()).await?;
    assert_eq!(paid["seats"][0]["zone"], "accepted");
    assert_eq!(paid["earned"], share().to_string());
    let why = paid["seats"][0]["why"].as_str().unwrap_or_default();
    ensure!(why.contains("agreed with the winner") && why.contains("It was paid"), "{why}");
    ensure!(paid["seats"][0]["times"]["revealed"].is_u64(), "{paid:#}");
    let slashed = explain(&play, job, fraud.owner()).await?;
    assert_eq!(slashed["seats"][0]["zone"], "rejected");
    assert_eq!(slashed["lost"], bond().to_string());
    assert_eq!(slashed["bounties"].as_array().map(Vec::len), Some(0));
    let bounties = [&nodes[0], &nodes[1]].map(|node| explain(&play, job, node.party.address()));
    let mut sent = 0;
    for explained in bounties {
        sent += explained.await?["bounties"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(sent, 2, "a draw and a settlement");
    let nobody = explain(&play, job, Address::repeat_byte(9)).await?;
    assert_eq!(nobody["seats"].as_array().map(Vec::len), Some(0));

    let metrics_url = nodes[0].metrics_url()?;
    let metrics = play
        .devnet
        .until("the node to note the end of the job", PATIENCE, async || {
            let metrics = reqwest::get(format!("{metrics_url}/metrics")).await?.text().await?;
            Ok(metrics.contains("quorate_draws_ended_total{ending=\"settled\"} 1\n").then_some(metrics))
        })
        .await?;
    for line in [
        "quorate_ready 1",
        "quorate_votes_total{stage=\"drawn\"} 1",
        "quorate_votes_total{stage=\"committed\"} 1",
        "quorate_votes_total{stage=\"revealed\"} 1",
        "quorate_output_seconds_count 1",
        "quorate_earned_eth_total 0.01",
        "quorate_lost_eth_total 0.0",
        "quorate_seats{state=\"active\"} 1",
        "quorate_open_jobs{phase=\"sealed\"} 0",
    ] {
        ensure!(metrics.lines().any(|said| said == line), "{line} is missing in\n{metrics}");
    }
    ensure!(!metrics.contains("quorate_transactions_total{result=\"mined\"} 0\n"), "{metrics}");
    ensure!(reqwest::get(format!("{metrics_url}/ready")).await?.status().is_success(), "it is ready");
    deployed_names_exist(&metrics)
}

async fn explain(play: &Play, job: B256, operator: Address) -> Result<Value> {
    let explain = play.devnet.prover_node()?.args(["explain", &job.to_string(), "--operator", &operator.to_string()]);
    explain.json().await
}

/// A dashboard or an alert over a metric that no node has would stay silent for good.
fn deployed_names_exist(metrics: &str) -> Result<()> {
    let deploy = programs::repository().join("deploy");
    let dashboard = fs::read_to_string(deploy.join("grafana-dashboard.json"))?;
    serde_json::from_str::<Value>(&dashboard)?;
    let alerts = fs::read_to_string(deploy.join("alerts.yml"))?;
    let named: BTreeSet<_> = [&dashboard, &alerts].into_iter().flat_map(|text| names(text)).collect();
    let there: BTreeSet<_> = names(metrics).collect();

    ensure!(named.len() > 10, "{named:?}");
    ensure!(named.is_subset(&there), "no node has {:?}", named.difference(&there).collect::<Vec<_>>());
    Ok(())
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words.filter(|word| word.starts_with("quorate_"))
}

/// Whoever reads a log may be anybody.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_whole_job_at_its_most_talkative_holds_no_secret() -> Result<()> {
    let play = Play::begin().await?;
    let [mut node] = play.verifiers(["alice"]).await?;
    node.set("RUST_LOG", Some("trace"));
    node.start()?;
    node.ready(&play.devnet).await?;
    let others = [play.by_hand("bob").await?, play.by_hand("carol").await?];

    let job = play.submit("a sun").await?;
    play.step(job, node.seat, Step::Committed).await?;
    let look = play.look(job).await?;
    let round = look.history.latest().ok_or_eyre("the job has a round")?;
    let draw = DrawKey { job, number: 1, seed: round.calldata().drawSeed };
    let deployment = &play.devnet.chain.deployment;
    let salt =
        SaltKey::new(&node.party.signer, deployment.chain_id, deployment.generation_oracle).salt(draw, node.seat);
    // Nobody can reveal before the others have committed.
    ensure!(!holds(node.log(), &hex::encode(salt))?, "the salt is in the log before its reveal");

    for (number, other) in (1..).zip(&others) {
        other.commit(job, &made_up(number)).await?;
    }
    play.step(job, node.seat, Step::Revealed).await?;
    ensure!(
        holds(node.log(), &hex::encode(salt))?,
        "the reveal itself is logged at this level, or nothing is shown here"
    );
    let password = fs::read_to_string(&node.party.password_file)?;
    for secret in [hex::encode(node.party.signer.to_bytes()), password.trim().to_owned()] {
        ensure!(!holds(node.log(), &secret)?, "a secret is in the log");
    }
    Ok(())
}

/// In any case, and so with and without 0x.
fn holds(log: &Path, secret: &str) -> Result<bool> {
    Ok(fs::read_to_string(log)?.to_lowercase().contains(&secret.to_lowercase()))
}
