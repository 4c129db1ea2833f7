//! A party: an account in an encrypted keystore made for the run.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use alloy::{
    primitives::Address,
    signers::{
        k256::{SecretKey, elliptic_curve::rand_core::OsRng},
        local::PrivateKeySigner,
    },
};
use eyre::Result;

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Party {
    /// For people and file names.
    pub name: String,
    /// For what a test signs itself.
    pub signer: PrivateKeySigner,
    /// For what the real programs sign.
    pub keystore: PathBuf,
    /// Holds the keystore's password.
    pub password_file: PathBuf,
}

impl Party {
    /// Encrypts `key` into a keystore below `folder`.
    pub fn create(name: &str, key: &SecretKey, folder: &Path) -> Result<Self> {
        let password = format!("the password of {name}");
        let password_file = folder.join(format!("{name}.password"));
        std::fs::write(&password_file, &password)?;
        keep_private(&password_file)?;
        let file = format!("{name}.keystore.json");
        let (signer, _) =
            PrivateKeySigner::encrypt_keystore(folder, &mut OsRng, key.to_bytes(), &password, Some(&file))?;
        let keystore = folder.join(file);
        keep_private(&keystore)?;
        Ok(Self { name: name.to_owned(), signer, keystore, password_file })
    }

    /// Its account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }
}

/// The programs warn of secrets that others may read.
fn keep_private(path: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))
}
