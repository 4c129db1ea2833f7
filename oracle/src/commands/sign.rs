//! `oracle sign`: a request that is signed here, sent by anyone, and paid out of the requester's balance at the oracle.

use std::{path::PathBuf, process::ExitCode};

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{
        SignerSync,
        k256::elliptic_curve::rand_core::{OsRng, RngCore},
        local::PrivateKeySigner,
    },
};
use oracle::{
    chain::Chain,
    delegation::{Delegation, DelegationFile, Limits, domain},
    keys::KeyArgs,
};
use serde::Serialize;

use super::{
    Context,
    files::{check_absent, write_whole},
    order::{ABOUT_FIXED_SEEDS, Order, OrderArgs},
    terminal::listing,
    typed::Ether,
    withdraw::balance,
};

/// What is asked for, and within which limits.
#[derive(clap::Args)]
#[command(after_help = format!("{ABOUT}\n\n{ABOUT_FIXED_SEEDS}\n\n{EXAMPLES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    order: OrderArgs,
    /// The file to write, for `oracle relay`: the request as wallets are shown it (EIP-712), and its signature
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// The most that it may cost, in ETH: the fee follows the base fee [default: the fee at a base fee a quarter higher]
    #[arg(long, value_name = "ETH")]
    most_fee: Option<Ether>,
    /// Seconds from now in which it can be sent
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    valid_for: u64,
    /// A number that the requester has not signed with before, in any order [default: random]
    #[arg(long, value_name = "NUMBER")]
    nonce: Option<U256>,
    /// Who asks and pays, if that is a contract that takes the key's signature (ERC-1271) [default: the key's account]
    #[arg(long, value_name = "ADDRESS")]
    requester: Option<Address>,
    /// Leave the signature to a wallet of the requester's; needs no key
    #[arg(long, requires = "requester")]
    unsigned: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

const ABOUT: &str = "\
Nothing is sent. Whoever has the file can send it once, until its deadline, and pays the gas; the fee comes out of the \
requester's balance at the oracle (`oracle deposit`). It cannot be called back, but without a balance it pays for nothing \
(`oracle withdraw`).

A wallet signs the file's typedData with eth_signTypedData_v4; `oracle relay --signature` takes what it says.";

const EXAMPLES: &str = "\
Examples:
  oracle sign \"a red apple\" --model emoji-64 --out apple.json --keystore me.json
  oracle sign \"a fox\" --model 0x8c1d --most-fee 0.01 --valid-for 600 --nonce 7 --out fox.json --keystore me.json
  oracle sign \"a fox\" --model 0x8c1d --requester 0x<wallet> --unsigned --out fox.json
  oracle relay apple.json --keystore somebody.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    file: PathBuf,
    requester: Address,
    signed: bool,
    model_id: B256,
    /// At the present base fee.
    fee: Ether,
    most_fee: Ether,
    nonce: String,
    /// In seconds since the epoch.
    deadline: u64,
    /// What the requester has at the oracle.
    balance: Ether,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    check_absent(&args.out, args.force)?;
    let chain = context.connect().await?;
    let key = match args.unsigned {
        true => None,
        false => Some(args.keys.load(chain.deployment.chain_id)?),
    };
    let account = key.as_ref().map(PrivateKeySigner::address);
    let requester = args.requester.or(account).ok_or_else(|| eyre::eyre!("whose request? give --requester"))?;
    let order = Order::resolve(&args.order, &chain, &context.terminal).await?;

    let most_fee = args.most_fee.unwrap_or(order.most_fee);
    let deadline = chain.now().await?.time.saturating_add(args.valid_for);
    let limits =
        Limits { most_fee: most_fee.0, nonce: args.nonce.unwrap_or_else(random), deadline: U256::from(deadline) };
    let signed = Signed {
        requester,
        signed: key.is_some(),
        model_id: order.model,
        fee: order.fee,
        most_fee,
        nonce: limits.nonce.to_string(),
        deadline,
        balance: balance(&chain, requester).await?,
        file: args.out,
    };
    let delegation = Delegation::new(requester, order.model, &order.spec, order.terms, limits);
    let file = sign(&delegation, key.as_ref(), &chain)?;
    write_whole(&signed.file, format!("{}\n", serde_json::to_string_pretty(&file)?).as_bytes(), args.force)?;

    if signed.fee > most_fee {
        context.terminal.note(format!("warning: it costs {} now, more than --most-fee", signed.fee));
    }
    if signed.balance < signed.fee {
        context.terminal.note(format!(
            "warning: {requester} has {} at the oracle, and this costs {}: add to it with `oracle deposit`",
            signed.balance, signed.fee
        ));
    }
    context.terminal.result(&signed, human)?;
    Ok(ExitCode::SUCCESS)
}

fn sign(delegation: &Delegation, key: Option<&PrivateKeySigner>, chain: &Chain) -> eyre::Result<DelegationFile> {
    let domain = domain(chain.deployment.chain_id, chain.deployment.generation_oracle);
    let signature = match key {
        Some(key) => Some(Bytes::from(key.sign_hash_sync(&delegation.hash(&domain))?.as_bytes())),
        None => None,
    };
    Ok(DelegationFile { typed_data: delegation.typed_data(&domain), signature })
}

fn random() -> U256 {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    U256::from_be_bytes(bytes)
}

fn human(signed: &Signed) -> String {
    listing(&[
        ("requester", signed.requester.to_string()),
        ("fee", format!("{} now, at most {}", signed.fee, signed.most_fee)),
        ("balance", format!("{} at the oracle", signed.balance)),
        ("deadline", signed.deadline.to_string()),
        ("nonce", signed.nonce.clone()),
        ("file", format!("{}{}", signed.file.display(), if signed.signed { "" } else { ", to be signed" })),
    ])
}
