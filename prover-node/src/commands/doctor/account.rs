//! The account: its keystore, its balance, and its seats.

use alloy::primitives::Address;
use oracle::{
    chain::{Chain, RegisteredModel, ether},
    keys::{KeyError, address_of, check_private},
    manifest::LocalModel,
};

use super::{Check, DoctorArgs};
use crate::{
    commands::{printable, run::RunArgs},
    config::{find_registered, wanted_models},
    funds::{Account, Funds},
    owners::Owners,
};

/// Of the keystore, its permissions and its password; and whose it is.
pub(super) fn examine_key(args: &DoctorArgs, chain: Option<&Chain>, checks: &mut Vec<Check>) -> Option<Address> {
    let key = &args.run.key;
    for path in key.keystore.iter().chain(&key.password_file) {
        if let Err(error @ KeyError::Exposed { .. }) = check_private(path) {
            checks.push(Check::warning("secrets", error.to_string(), "then nobody but this user can copy it"));
        }
    }

    let said = args.operator.or_else(|| key.keystore.as_deref().and_then(|path| address_of(path).ok()));
    let chain_id = chain.map_or(0, |chain| chain.deployment.chain_id);
    let loaded = key.is_unattended().then(|| key.load(chain_id));
    match (loaded, said) {
        (Some(Ok(signer)), said) if said.is_none_or(|said| said == signer.address()) => {
            checks.push(Check::ok("key", format!("the keystore opens: operator {}", signer.address())));
            Some(signer.address())
        }
        (Some(Ok(signer)), Some(said)) => {
            checks.push(Check::failing(
                "key",
                format!("the keystore is that of {}, and the operator is said to be {said}", signer.address()),
                "name the right --keystore, or the right --operator",
            ));
            Some(signer.address())
        }
        (Some(Err(error)), said) => {
            checks.push(Check::error("key", &error));
            said
        }
        (None, Some(address)) => {
            checks.push(Check::warning(
                "key",
                format!("operator {address}; whether the password is right was not tried"),
                "for a node that starts by itself, put the password into a file and name it with --password-file",
            ));
            Some(address)
        }
        (_, None) => {
            checks.push(Check::error("key", &KeyError::NoneGiven));
            None
        }
    }
}

/// The registered models that those on disk are.
pub(super) async fn examine_models(
    chain: &Chain,
    args: &RunArgs,
    models: &[LocalModel],
    checks: &mut Vec<Check>,
) -> Vec<RegisteredModel> {
    match registered(chain, args, models).await {
        Ok(found) => {
            let ok = |model: &RegisteredModel| {
                Check::ok("registry", format!("{} is registered as {}", printable(&model.name), model.id))
            };
            checks.extend(found.iter().map(ok));
            found
        }
        Err(error) => {
            checks.push(Check::error("registry", &error));
            Vec::new()
        }
    }
}

async fn registered(chain: &Chain, args: &RunArgs, models: &[LocalModel]) -> eyre::Result<Vec<RegisteredModel>> {
    let wanted = wanted_models(chain, models, &args.registered).await?;
    let registered = chain.registered_models().await?;
    models.iter().map(|files| find_registered(&registered, files, &wanted)).collect()
}

/// Money for gas, and seats to be drawn.
pub(super) async fn examine_funds(
    chain: &Chain,
    args: &RunArgs,
    operator: Address,
    models: &[RegisteredModel],
    checks: &mut Vec<Check>,
) {
    let owners = Owners::new(operator, args.owners.iter().copied());
    let account = |models| Account { operator, models, owners: owners.clone(), budget: args.budget() };
    // What a node that runs has committed is its own affair, and `/ready` has it.
    match Funds::of(chain, &account(models.iter().map(|model| model.id).collect()), 0).await {
        Ok(funds) => checks.push(balance(operator, &funds)),
        Err(error) => return checks.push(Check::error("balance", &error)),
    }
    for model in models {
        match Funds::of(chain, &account(vec![model.id]), 0).await {
            Ok(funds) => checks.push(seats(operator, model, &funds)),
            Err(error) => checks.push(Check::error("seats", &error)),
        }
    }
}

fn balance(operator: Address, funds: &Funds) -> Check {
    let (name, cover) = ("balance", funds.cover);
    let found = format!("{} for gas; for the next job there must be {}", ether(cover.balance), ether(cover.least()));
    let advice = format!("send {operator} some ETH");
    match (cover.balance.is_zero(), cover.suffices()) {
        (true, _) => Check::failing(name, "the operator has no money for gas", advice),
        (_, false) => Check::warning(name, found, advice),
        (_, true) => Check::ok(name, found),
    }
}

fn seats(operator: Address, model: &RegisteredModel, funds: &Funds) -> Check {
    let name = "seats";
    let &Funds { active, young, left, stake, .. } = funds;
    let (model, stake) = (printable(&model.name), ether(stake));
    let found = format!("{model}: {active} active, {young} too young to be drawn, {left} left; {stake} staked");
    match (active, young) {
        (0, 0) => Check::warning(
            name,
            found,
            format!(
                "take one with the owner's key: prover-node register --model {model} --operator {operator}; seats of others need --owner"
            ),
        ),
        (0, _) => Check::warning(name, found, "wait: a seat is drawn once it is old enough"),
        _ => Check::ok(name, found),
    }
}
