//! Whatever is wrong, both programs say so in one line, with what to do, and leave nothing half-written.

use std::{fs, path::Path};

use alloy::{
    primitives::{Address, B256},
    signers::k256::{SecretKey, elliptic_curve::rand_core::OsRng},
};
use eyre::{Result, bail, ensure};
use oracle::{chain::Deployment, manifest::MANIFEST_FILE};
use quorate_tests::{command::Cli, party::Party, programs};

use crate::play::Play;

/// Runs each command and expects it to refuse with these words; says all that went otherwise.
async fn refuse_all(cases: Vec<(Cli, &[&str])>) -> Result<()> {
    let mut wrong = Vec::new();
    for (command, words) in cases {
        match command.refuse().await {
            Ok(said) => wrong.extend(
                words.iter().filter(|word| !said.contains(**word)).map(|word| format!("no {word:?} in: {said}")),
            ),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_not_the_deployments_is_named() -> Result<()> {
    let play = Play::begin().await?;
    let (chain, folder) = (&play.devnet.chain, &play.devnet.folder);
    let url = play.devnet.rpc_url();
    let elsewhere = |name: &str, deployment: Deployment| -> Result<[String; 4]> {
        let file = folder.join(name);
        fs::write(&file, serde_json::to_vec(&deployment)?)?;
        Ok(["--rpc-url".into(), url.clone(), "--deployment".into(), file.display().to_string()])
    };
    let wrong_chain = elsewhere("wrong-chain.json", Deployment { chain_id: 1, ..chain.deployment })?;
    let nobody = Address::repeat_byte(0x77);
    let no_contract = elsewhere("no-contract.json", Deployment { model_registry: nobody, ..chain.deployment })?;
    let no_rpc = ["--rpc-url", "http://127.0.0.1:1"].map(str::to_owned);
    let malformed = folder.join("malformed.json");
    fs::write(&malformed, "{")?;
    let malformed = ["--rpc-url".to_owned(), url.clone(), "--deployment".into(), malformed.display().to_string()];
    let missing = ["--rpc-url".to_owned(), url.clone(), "--deployment".into(), "missing.json".into()];

    let oracle = |chain: &[String]| Ok::<_, eyre::Report>(Cli::oracle()?.args(["models", "list"]).on(chain));
    let node = |chain: &[String]| {
        let data_dir = folder.join("never");
        let command = Cli::prover_node()?.args(["run", "--data-dir"]).arg(data_dir);
        let command = command.arg("--model-dir").arg(programs::bundled_model());
        Ok::<_, eyre::Report>(command.signed_by(&play.requester).on(chain))
    };
    let mut cases: Vec<(Cli, &[&str])> = Vec::new();
    for (chain, words) in [
        (&no_rpc[..], &["no Ethereum node", "--rpc-url"][..]),
        (&wrong_chain, &["chain", "31337"]),
        (&no_contract, &["ModelRegistry", "0x7777777777777777777777777777777777777777"]),
        (&malformed, &["malformed.json"]),
        (&missing, &["missing.json", "--deployment"]),
    ] {
        cases.push((oracle(chain)?, words));
        cases.push((node(chain)?, words));
    }
    refuse_all(cases).await?;
    ensure!(!folder.join("never").exists(), "a node that cannot start makes no data directory");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_pay_or_be_opened_is_named() -> Result<()> {
    let play = Play::begin().await?;
    for name in ["alice", "bob", "carol"] {
        play.by_hand(name).await?;
    }
    play.age().await?;
    let folder = &play.devnet.folder;
    let poor = Party::create("poor", &SecretKey::random(&mut OsRng), folder)?;
    let rich = &play.requester;
    let stranger = Party { password_file: poor.password_file.clone(), ..rich.clone() };
    let none = Party { keystore: folder.join("none.json"), ..rich.clone() };
    let other = Party { keystore: play.devnet.deployment_file.clone(), ..rich.clone() };

    let submit = |party: &Party| {
        let command = play.devnet.oracle()?.args(["submit", "a dog", "--model", &play.model.to_string()]);
        Ok::<_, eyre::Report>(command.signed_by(party))
    };
    let register = |party: &Party| {
        let command = play.devnet.prover_node()?.args(["register", "--model", &play.model.to_string()]);
        Ok::<_, eyre::Report>(command.signed_by(party))
    };
    let no_money = poor.address().to_string();
    let no_money = [no_money.as_str(), "ETH"];
    let mut cases: Vec<(Cli, &[&str])> = Vec::new();
    for (party, words) in [
        (&poor, &no_money[..]),
        (&stranger, &["wrong password"]),
        (&none, &["none.json"]),
        (&other, &["not an encrypted keystore"]),
    ] {
        cases.push((submit(party)?, words));
        cases.push((register(party)?, words));
    }
    refuse_all(cases).await?;
    ensure!(play.devnet.chain.oracle().nonceOf(rich.address()).call().await?.is_zero(), "nothing was requested");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_model_cannot_serve_costs_nothing() -> Result<()> {
    let play = Play::begin().await?;
    let (model, unknown) = (play.model.to_string(), B256::repeat_byte(0xde).to_string());
    let submit = |flags: &[&str]| {
        let command = play.devnet.oracle()?.args(["submit", "a dog"]).args(flags).signed_by(&play.requester);
        Ok::<_, eyre::Report>(command)
    };
    let on_model = |flags: &[&str]| submit(&[&["--model", &model], flags].concat());
    let never = play.devnet.folder.join("never.png");
    let long = "x".repeat(4_097);
    let too_long = play.devnet.oracle()?.args(["submit", &long, "--model", &model]).signed_by(&play.requester);

    refuse_all(vec![
        (submit(&["--model", &unknown])?, &["model", "oracle models list"]),
        (submit(&["--model", "no-such-model"])?, &["no-such-model"]),
        (on_model(&["--size", "4096x4096"])?, &["4096x4096", "out of bounds"]),
        (on_model(&["--size", "big"])?, &["size"]),
        (on_model(&["--steps", "100000"])?, &["steps"]),
        (on_model(&["--guidance", "999"])?, &["guidance"]),
        (on_model(&["--committee", "4"])?, &["committee"]),
        (on_model(&["--share", "1000"])?, &["share"]),
        (on_model(&["--commit-window", "100000"])?, &["commit window"]),
        (on_model(&["--super-majority"])?, &["super-majority"]),
        (too_long, &["4097 bytes"]),
        (play.devnet.oracle()?.args(["status", &unknown]), &["no job"]),
        (play.devnet.oracle()?.args(["fetch", &unknown, "--out"]).arg(&never), &["no job"]),
        (play.devnet.prover_node()?.args(["register", "--model", &unknown]).signed_by(&play.requester), &["model"]),
    ])
    .await?;
    ensure!(!never.exists(), "nothing was written");
    let requests = play.devnet.chain.oracle().nonceOf(play.requester.address()).call().await?;
    ensure!(requests.is_zero(), "nothing was requested");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_the_models_stop_the_node_before_it_works() -> Result<()> {
    let play = Play::begin().await?;
    let folder = &play.devnet.folder;
    let corrupt = folder.join("corrupt");
    copy_folder(&programs::bundled_model(), &corrupt)?;
    let weights = corrupt.join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&weights)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&weights, bytes)?;
    let other = folder.join("other");
    fs::create_dir(&other)?;
    let manifest = fs::read_to_string(programs::bundled_model().join(MANIFEST_FILE))?;
    fs::write(other.join(MANIFEST_FILE), format!("{manifest}\n"))?;
    let broken = folder.join("broken");
    fs::create_dir(&broken)?;
    fs::write(broken.join(MANIFEST_FILE), "{\"name\": 7}")?;

    let spec = folder.join("spec.json");
    fs::write(&spec, "{\"prompt\": \"a dog\", \"width\": -64}")?;
    let picture = folder.join("picture.png");
    let generate = |model: &Path, spec: &Path| {
        let command = Cli::prover_node()?.args(["generate", "--noise-seed", &B256::ZERO.to_string(), "--spec"]);
        Ok::<_, eyre::Report>(command.arg(spec).arg("--model-dir").arg(model).arg("--out").arg(&picture))
    };
    let run = |model: &Path| {
        let command = play.devnet.prover_node()?.args(["run", "--listen", "127.0.0.1:0", "--data-dir"]);
        let command = command.arg(folder.join("node")).arg("--model-dir").arg(model).signed_by(&play.requester);
        Ok::<_, eyre::Report>(command.env("RUST_LOG", "error"))
    };
    let good_spec = folder.join("good-spec.json");
    fs::write(&good_spec, GOOD_SPEC)?;
    let huge_spec = folder.join("huge-spec.json");
    fs::write(&huge_spec, GOOD_SPEC.replace("64", "8192"))?;

    refuse_all(vec![
        (run(&corrupt)?, &["diffusion_pytorch_model.safetensors", "sha256"]),
        (run(&other)?, &["oracle models register"]),
        (run(&broken)?, &["not a model manifest"]),
        (run(&folder.join("nowhere"))?, &["nowhere"]),
        (generate(&corrupt, &good_spec)?, &["diffusion_pytorch_model.safetensors", "sha256"]),
        (generate(&programs::bundled_model(), &spec)?, &["spec.json"]),
        (generate(&programs::bundled_model(), &huge_spec)?, &["8192x8192", "out of bounds"]),
        (generate(&programs::bundled_model(), &folder.join("no-spec.json"))?, &["no-spec.json"]),
    ])
    .await?;
    ensure!(!picture.exists(), "no picture was made");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_leaves_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spec = folder.path().join("spec.json");
    fs::write(&spec, GOOD_SPEC)?;
    let disk = folder.path().join("disk");
    fs::create_dir(&disk)?;
    if !Cli::can_mount(&disk) {
        eprintln!("skipped: this system lets nobody mount a small disk");
        return Ok(());
    }

    let generate = Cli::prover_node()?
        .args(["generate", "--noise-seed", &B256::ZERO.to_string(), "--spec"])
        .arg(&spec)
        .arg("--model-dir")
        .arg(programs::bundled_model())
        .arg("--out")
        .arg(disk.join("picture.png"))
        .with_full_disk(&disk);
    let said = generate.refuse().await?;
    if !said.contains("picture.png") || !said.to_lowercase().contains("no space") {
        bail!("the full disk is not named: {said}");
    }
    Ok(())
}

const GOOD_SPEC: &str =
    r#"{"kind": "image", "prompt": "a dog", "width": 64, "height": 64, "steps": 1, "guidance": 1000}"#;

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
