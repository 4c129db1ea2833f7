//! Which operator, as typed: an address, or the keystore that has it.

use std::path::PathBuf;

use alloy::primitives::Address;
use eyre::bail;
use oracle::keys::address_of;

/// For commands that look and do not sign: no password is needed.
#[derive(Debug, Clone, clap::Args)]
pub struct OperatorArgs {
    /// Address of the key that the node runs with [default: the keystore's]
    #[arg(long, env = "QUORATE_OPERATOR", value_name = "ADDRESS")]
    operator: Option<Address>,
    /// Encrypted keystore file, of which only the address is read
    #[arg(long, env = "QUORATE_KEYSTORE", value_name = "FILE")]
    keystore: Option<PathBuf>,
}

impl OperatorArgs {
    /// Whose node it is.
    pub fn address(&self) -> eyre::Result<Address> {
        match (self.operator, &self.keystore) {
            (Some(operator), _) => Ok(operator),
            (None, Some(path)) => Ok(address_of(path)?),
            (None, None) => bail!("whose node? give the operator's address with --operator, or its --keystore"),
        }
    }
}
