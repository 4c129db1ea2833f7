//! Requests that one signs, another sends, and the first one's balance at the oracle pays for.

use std::{fs, path::PathBuf};

use alloy::{
    network::TransactionBuilder as _,
    primitives::{Address, U256, hex, utils::parse_ether},
    providers::{Provider as _, ext::AnvilApi as _},
    rpc::types::TransactionRequest,
    signers::SignerSync as _,
    sol_types::SolCall as _,
};
use eyre::{OptionExt as _, Result, ensure};
use oracle::{
    chain::IGenerationOracle::{Outcome, depositCall},
    delegation::DelegationFile,
    fees::fee_of,
};
use quorate_tests::{command::Cli, party::Party, programs};
use serde_json::{Value, json};

use crate::play::Play;

/// Answers every question, and so ERC-1271's, with yes.
const CREDULOUS: [u8; 14] = hex!("631626ba7e60e01b5f5260205ff3");

/// `oracle sign` for a small picture, into a file of that name.
fn sign(play: &Play, name: &str, flags: &[&str]) -> Result<(Cli, PathBuf)> {
    let file = play.devnet.folder.join(name);
    let command = play.devnet.oracle()?.args(["sign", "a fox", "--model", &play.model.to_string(), "--steps", "2"]);
    let command = command.arg("--manifest").arg(programs::bundled_model()).arg("--out").arg(&file).args(flags);
    Ok((command, file))
}

fn relay(play: &Play, file: &PathBuf, by: &Party) -> Result<Cli> {
    Ok(play.devnet.oracle()?.arg("relay").arg(file).signed_by(by))
}

async fn deposit(play: &Play, amount: &str) -> Result<U256> {
    play.devnet.oracle()?.args(["deposit", amount]).signed_by(&play.requester).succeed().await?;
    Ok(parse_ether(amount)?)
}

/// A copy of a signed file with a change.
fn altered(file: &PathBuf, name: &str, change: impl FnOnce(&mut Value)) -> Result<PathBuf> {
    let mut json: Value = serde_json::from_slice(&fs::read(file)?)?;
    change(&mut json);
    let copy = file.with_file_name(name);
    fs::write(&copy, json.to_string())?;
    Ok(copy)
}

async fn three_seats(play: &Play) -> Result<()> {
    for name in ["alice", "bob", "carol"] {
        play.by_hand(name).await?;
    }
    play.age().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_pays_the_fee_and_who_sends_pays_the_gas() -> Result<()> {
    let play = Play::begin().await?;
    let _nodes = play.nodes(["alice", "bob", "carol"]).await?;
    play.age().await?;
    let (chain, requester, courier) = (&play.devnet.chain, &play.requester, play.devnet.party("courier")?);
    let paid_in = deposit(&play, "1").await?;
    let wallet = chain.provider.get_balance(requester.address()).await?;

    let (command, file) = sign(&play, "fox.json", &["--nonce", "7"])?;
    let signed = command.signed_by(requester).json().await?;
    assert_eq!((signed["requester"].clone(), signed["nonce"].clone()), (json!(requester.address()), json!("7")));
    let end = relay(&play, &file, &courier)?.arg("--wait").json().await?;

    assert_eq!((end["outcome"].clone(), end["requester"].clone()), (json!("accepted"), json!(requester.address())));
    let job = play.end(end["jobId"].as_str().ok_or_eyre("no job id was printed")?.parse()?).await?;
    assert_eq!(job.outcome(), Outcome::Accepted);
    assert_eq!(play.credit().await?, paid_in - fee_of(&job.request.job) + job.refunded());
    assert_eq!(chain.provider.get_balance(requester.address()).await?, wallet, "not even gas");
    assert!(chain.oracle().balanceOf(courier.address()).call().await?.is_zero());

    let again = relay(&play, &file, &courier)?.refuse().await?;
    ensure!(again.contains("nonce 7 was sent already"), "{again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_signed_or_cannot_be_paid_is_named_and_costs_nothing() -> Result<()> {
    let play = Play::begin().await?;
    three_seats(&play).await?;
    let courier = play.devnet.party("courier")?;
    let (command, good) = sign(&play, "good.json", &[])?;
    command.signed_by(&play.requester).succeed().await?;
    let poor = relay(&play, &good, &courier)?.refuse().await?;
    ensure!(poor.contains("oracle deposit"), "{poor}");
    deposit(&play, "1").await?;

    let (command, cheap) = sign(&play, "cheap.json", &["--most-fee", "0.000000000000000001"])?;
    command.signed_by(&play.requester).succeed().await?;
    let (command, late) = sign(&play, "late.json", &["--valid-for", "0"])?;
    command.signed_by(&play.requester).succeed().await?;
    play.devnet.pass(1).await?;
    let (command, open) = sign(&play, "open.json", &["--requester", &play.requester.address().to_string()])?;
    command.arg("--unsigned").succeed().await?;
    let message = |name: &str, field: &'static str, value: Value| {
        altered(&good, name, |it| it["typedData"]["message"][field] = value)
    };
    let other = json!(Address::repeat_byte(9));
    let cases = [
        (cheap, "above the limit of 0.000000000000000001 ETH"),
        (late, "was good until"),
        (open, "--signature"),
        (play.devnet.folder.join("none.json"), "none.json: it cannot be read"),
        (play.devnet.deployment_file.clone(), "not a request that `oracle sign` has written"),
        (message("nonce.json", "nonce", json!("8"))?, "has not signed this"),
        (message("fee.json", "mostFee", json!("1000000000000000000000"))?, "has not signed this"),
        (message("who.json", "requester", json!(courier.address()))?, "has not signed this"),
        (message("lost.json", "nonce", Value::Null)?, "not a request as the contract knows it"),
        (
            altered(&good, "spec.json", |it| it["typedData"]["message"]["spec"]["steps"] = json!(3))?,
            "has not signed this",
        ),
        (altered(&good, "chain.json", |it| it["typedData"]["domain"]["chainId"] = json!(1))?, "for chain 1"),
        (altered(&good, "at.json", |it| it["typedData"]["domain"]["verifyingContract"] = other)?, "--deployment"),
        (altered(&good, "name.json", |it| it["typedData"]["domain"]["name"] = json!("x"))?, "as the contract knows it"),
        (altered(&good, "sig.json", |it| it["signature"] = json!("0x1234"))?, "has not signed this"),
    ];
    for (file, words) in cases {
        let said = relay(&play, &file, &courier)?.refuse().await?;
        ensure!(said.contains(words), "no {words:?} in: {said}");
    }
    let requests = play.devnet.chain.oracle().nonceOf(play.requester.address()).call().await?;
    ensure!(requests.is_zero(), "nothing was requested");

    let again = sign(&play, "good.json", &[])?.0.signed_by(&play.requester).refuse().await?;
    ensure!(again.contains("--force"), "{again}");
    relay(&play, &good, &courier)?.succeed().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_signs_what_the_file_shows_and_a_contract_as_it_likes() -> Result<()> {
    let play = Play::begin().await?;
    three_seats(&play).await?;
    let courier = play.devnet.party("courier")?;
    deposit(&play, "1").await?;
    let requester = play.requester.address();
    let (command, file) = sign(&play, "wallet.json", &["--unsigned", "--requester", &requester.to_string()])?;
    command.succeed().await?;

    let shown = DelegationFile::read(&file)?.typed_data.eip712_signing_hash()?;
    let signature = hex::encode_prefixed(play.requester.signer.sign_hash_sync(&shown)?.as_bytes());
    let paid = relay(&play, &file, &courier)?.args(["--signature", &signature]).json().await?;
    assert_eq!(paid["requester"], json!(requester));

    let (provider, contract) = (&play.devnet.chain.provider, Address::repeat_byte(0xc7));
    provider.anvil_set_code(contract, CREDULOUS.into()).await?;
    provider.anvil_set_balance(contract, parse_ether("2")?).await?;
    provider.anvil_impersonate_account(contract).await?;
    let deposit = TransactionRequest::default()
        .with_from(contract)
        .with_to(play.devnet.chain.deployment.generation_oracle)
        .with_value(parse_ether("1")?)
        .with_input(depositCall {}.abi_encode());
    provider.send_transaction(deposit).await?.get_receipt().await?;
    let (command, file) = sign(&play, "contract.json", &["--requester", &contract.to_string()])?;
    command.signed_by(&courier).succeed().await?;
    let paid = relay(&play, &file, &courier)?.json().await?;
    assert_eq!(paid["requester"], json!(contract));
    Ok(())
}
