//! One file per command; what several of them share is below them.

pub(crate) mod account;
pub(crate) mod advance;
pub(crate) mod appeal;
pub(crate) mod balance;
pub(crate) mod compare;
pub(crate) mod consensus;
pub(crate) mod fetch;
pub(crate) mod models;
pub(crate) mod odds;
pub(crate) mod quote;
pub(crate) mod relay;
pub(crate) mod sign;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod tolerance;
pub(crate) mod verifiers;
pub(crate) mod withdraw;

mod assurance;
mod files;
mod follow;
mod order;
mod paid;
mod plot;
mod report;
mod safe_value;
pub(crate) mod terminal;
mod terms;
mod typed;
mod wish;

use oracle::{
    chain::{Account, Chain, ChainArgs, ChainError, connect},
    keys::KeyArgs,
};

use self::terminal::Terminal;

/// What every command is given.
pub(crate) struct Context {
    pub(crate) chain: ChainArgs,
    pub(crate) terminal: Terminal,
}

impl Context {
    async fn connect(&self) -> Result<Chain, ChainError> {
        connect(&self.chain).await
    }

    async fn connect_as(&self, keys: &KeyArgs) -> eyre::Result<Account> {
        let chain = self.connect().await?;
        Ok(chain.account(keys.load(chain.deployment.chain_id)?)?)
    }
}
