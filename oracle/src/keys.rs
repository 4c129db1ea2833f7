//! Keys: an encrypted keystore file and its password, or a plain key on a local development chain.
//!
//! Nothing in here has a `Debug` that shows a secret, and no message repeats one.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use alloy::{
    primitives::{Address, B256, ChainId},
    signers::{
        k256::elliptic_curve::rand_core::OsRng,
        local::{LocalSignerError, PrivateKeySigner},
    },
};
use serde_json::Value;
use zeroize::Zeroizing;

/// Where the password is looked for when no file is named.
pub const PASSWORD_VARIABLE: &str = "QUORATE_PASSWORD";

/// Chains on which a key may be typed: anvil's and geth's development chains.
pub const LOCAL_CHAINS: [ChainId; 2] = [31_337, 1_337];

/// Fewest characters of a new keystore's password.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Largest scrypt cost (`n x r x p`) that is worked on: 1 GiB.
const MAX_SCRYPT_COST: u64 = 1 << 23;

/// Which key, as typed.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Key")]
pub struct KeyArgs {
    /// Encrypted keystore file (Web3 secret storage)
    #[arg(long, env = "QUORATE_KEYSTORE", value_name = "FILE")]
    pub keystore: Option<PathBuf>,
    /// File with the keystore's password [default: $QUORATE_PASSWORD, else asked for on the terminal]
    #[arg(long, env = "QUORATE_PASSWORD_FILE", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Plain private key; only for a local development chain (id 31337 or 1337)
    #[arg(long, value_name = "HEX", conflicts_with = "keystore")]
    dev_key: Option<String>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing was named.
    #[error("this needs a key: name a keystore with --keystore FILE (`oracle account new --keystore FILE` makes one)")]
    NoneGiven,
    /// A plain key where it would be worth something.
    #[error("--dev-key is for local development chains (id 31337 or 1337), and this is chain {0}: use --keystore")]
    DevKeyElsewhere(ChainId),
    /// Not 32 bytes of hex, or not on the curve.
    #[error("--dev-key takes a private key: 0x and 64 hex digits")]
    MalformedDevKey,
    /// No such file.
    #[error("there is no keystore {}; `oracle account new --keystore {}` makes one", .0.display(), .0.display())]
    NoSuchKeystore(PathBuf),
    /// It cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not an encrypted keystore: {reason}", path.display())]
    NotAKeystore {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Some programs leave it out.
    #[error("the keystore {} does not say whose it is: give the address with --operator", .0.display())]
    NoAddress(PathBuf),
    /// Anybody on this machine could read it.
    #[error("{} may be read by others (mode {mode:o}): run `chmod 600 {}` first", path.display(), path.display())]
    Exposed {
        /// The keystore, or the file with its password.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The password does not open it.
    #[error("wrong password for the keystore {}", .0.display())]
    WrongPassword(PathBuf),
    /// No password, and nobody to ask.
    #[error("no password: name a file with --password-file, set {PASSWORD_VARIABLE}, or run this on a terminal")]
    NoPassword,
    /// The file is empty.
    #[error("the password file {} is empty", .0.display())]
    EmptyPassword(PathBuf),
    /// Too easy to guess.
    #[error("the password has fewer than {MIN_PASSWORD_CHARS} characters; choose a longer one")]
    WeakPassword,
    /// Typed twice, differently.
    #[error("the two passwords differ; nothing was written")]
    PasswordsDiffer,
    /// Never overwritten: it may be somebody's only copy.
    #[error("{} exists already; name another file, keystores are never overwritten", .0.display())]
    Exists(PathBuf),
    /// The keystore could not be made.
    #[error("cannot make the keystore: {0}")]
    Encryption(#[source] LocalSignerError),
}

impl KeyArgs {
    /// That of a keystore.
    #[must_use]
    pub fn of(keystore: PathBuf, password_file: Option<PathBuf>) -> Self {
        Self { keystore: Some(keystore), password_file, dev_key: None }
    }

    /// Whether [`Self::load`] need not ask anybody.
    #[must_use]
    pub fn is_unattended(&self) -> bool {
        let has_password = || self.password_file.is_some() || env::var_os(PASSWORD_VARIABLE).is_some();
        self.dev_key.is_some() || (self.keystore.is_some() && has_password())
    }

    /// The key, for use on that chain. Reads files, may ask on the terminal, and takes scrypt's time.
    pub fn load(&self, chain_id: ChainId) -> Result<PrivateKeySigner, KeyError> {
        if let Some(key) = &self.dev_key {
            return dev_signer(key, chain_id);
        }
        let path = self.keystore.as_deref().ok_or(KeyError::NoneGiven)?;
        read_keystore(path)?;
        warn_if_exposed(path);
        let password = match password(self.password_file.as_deref())? {
            Some(password) => password,
            None => ask(&format!("Password for {}: ", path.display()))?,
        };
        PrivateKeySigner::decrypt_keystore(path, password.as_bytes())
            .map_err(|_| KeyError::WrongPassword(path.to_owned()))
    }
}

/// The address that a keystore says is its key's, without a password.
pub fn address_of(keystore: &Path) -> Result<Address, KeyError> {
    let address = read_keystore(keystore)?.get("address").and_then(Value::as_str).map(str::parse);
    match address {
        Some(Ok(address)) => Ok(address),
        _ => Err(KeyError::NoAddress(keystore.to_owned())),
    }
}

/// Whether only its owner may read a file with a secret; on systems without such permissions, nothing is known.
pub fn check_private(path: &Path) -> Result<(), KeyError> {
    match mode_of(path) {
        Ok(Some(mode)) if mode & 0o077 != 0 => Err(KeyError::Exposed { path: path.to_owned(), mode }),
        Ok(_) => Ok(()),
        Err(source) => Err(KeyError::Io { doing: "look at", path: path.to_owned(), source }),
    }
}

#[cfg(unix)]
fn mode_of(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    Ok(Some(fs::metadata(path)?.permissions().mode() & 0o777))
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Makes a keystore with a new random key, readable by its owner only.
pub fn create_keystore(path: &Path, password_file: Option<&Path>) -> Result<PrivateKeySigner, KeyError> {
    if path.exists() {
        return Err(KeyError::Exists(path.to_owned()));
    }
    let password = match password(password_file)? {
        Some(password) => password,
        None => ask_twice()?,
    };
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(KeyError::WeakPassword);
    }
    write_keystore(path, &password)
}

fn dev_signer(key: &str, chain_id: ChainId) -> Result<PrivateKeySigner, KeyError> {
    if !LOCAL_CHAINS.contains(&chain_id) {
        return Err(KeyError::DevKeyElsewhere(chain_id));
    }
    let key: B256 = key.parse().map_err(|_| KeyError::MalformedDevKey)?;
    PrivateKeySigner::from_bytes(&key).map_err(|_| KeyError::MalformedDevKey)
}

/// What can be told before a password is asked for; also bounds what a keystore can make us compute.
fn read_keystore(path: &Path) -> Result<Value, KeyError> {
    let bytes = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyError::NoSuchKeystore(path.to_owned()),
        _ => KeyError::Io { doing: "read", path: path.to_owned(), source },
    })?;
    let not_a_keystore = |reason: String| KeyError::NotAKeystore { path: path.to_owned(), reason };
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| not_a_keystore(error.to_string()))?;
    check_structure(&json).map_err(|what| not_a_keystore(what.to_owned()))?;
    Ok(json)
}

fn check_structure(json: &Value) -> Result<(), &'static str> {
    let crypto = json.get("crypto").or_else(|| json.get("Crypto")).ok_or("it has no \"crypto\"")?;
    let text_len = |value: &Value| value.as_str().map(|text| text.trim_start_matches("0x").len());
    if text_len(&crypto["cipherparams"]["iv"]) != Some(32) {
        return Err("its initialization vector is not 16 bytes");
    }
    if text_len(&crypto["ciphertext"]) != Some(64) {
        return Err("it does not hold 32 encrypted bytes");
    }
    let kdf = &crypto["kdfparams"];
    if kdf["dklen"].as_u64() != Some(32) {
        return Err("its derived key is not 32 bytes");
    }
    let number = |name: &str| kdf.get(name).map_or(Some(1), Value::as_u64);
    let cost = ["n", "r", "p"].into_iter().try_fold(1_u64, |cost, name| cost.checked_mul(number(name)?));
    match cost {
        Some(1..=MAX_SCRYPT_COST) => Ok(()),
        _ => Err("its scrypt parameters are out of bounds"),
    }
}

/// From the file, else from the environment.
fn password(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, KeyError> {
    let Some(path) = file else {
        return Ok(env::var(PASSWORD_VARIABLE).ok().filter(|text| !text.is_empty()).map(Zeroizing::new));
    };
    warn_if_exposed(path);
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|source| KeyError::Io {
        doing: "read the password file",
        path: path.to_owned(),
        source,
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(KeyError::EmptyPassword(path.to_owned()));
    }
    Ok(Some(Zeroizing::new(line.to_owned())))
}

/// A keystore is encrypted, and a password opens nothing by itself: a reason to say so, not to stop a node.
fn warn_if_exposed(path: &Path) {
    if let Err(exposed @ KeyError::Exposed { .. }) = check_private(path) {
        eprintln!("warning: {exposed}");
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, KeyError> {
    if !io::stdin().is_terminal() {
        return Err(KeyError::NoPassword);
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| KeyError::NoPassword)
}

fn ask_twice() -> Result<Zeroizing<String>, KeyError> {
    let first = ask("New password: ")?;
    if *first != *ask("Again: ")? {
        return Err(KeyError::PasswordsDiffer);
    }
    Ok(first)
}

fn write_keystore(path: &Path, password: &str) -> Result<PrivateKeySigner, KeyError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary_name = format!(".{name}.{}.tmp", std::process::id());
    let temporary = folder.join(&temporary_name);
    let failed = |source| KeyError::Io { doing: "write the keystore", path: path.to_owned(), source };

    create_private(&temporary).map_err(failed)?;
    let written = encrypt(folder, &temporary_name, password)
        .and_then(|signer| add_address(&temporary, signer.address()).map(|()| signer).map_err(failed))
        // A link fails where something has come to lie meanwhile; a rename would replace it.
        .and_then(|signer| fs::hard_link(&temporary, path).map(|()| signer).map_err(failed));
    let removed = fs::remove_file(&temporary).map_err(failed);
    written.and_then(|signer| removed.map(|()| signer))
}

fn encrypt(folder: &Path, name: &str, password: &str) -> Result<PrivateKeySigner, KeyError> {
    let key = Zeroizing::new(PrivateKeySigner::random().to_bytes().0);
    PrivateKeySigner::encrypt_keystore(folder, &mut OsRng, key.as_slice(), password.as_bytes(), Some(name))
        .map(|(signer, _)| signer)
        .map_err(KeyError::Encryption)
}

/// As geth has it, so that a keystore says whose it is without a password.
fn add_address(path: &Path, address: Address) -> io::Result<()> {
    let mut json: Value = serde_json::from_slice(&fs::read(path)?)?;
    json["address"] = alloy::hex::encode(address).into();
    fs::write(path, serde_json::to_vec(&json)?)
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn args(keystore: &Path, password_file: &Path) -> KeyArgs {
        KeyArgs { keystore: Some(keystore.to_owned()), password_file: Some(password_file.to_owned()), dev_key: None }
    }

    #[test]
    fn a_new_keystore_opens_with_its_password_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (keystore, right, wrong) =
            (folder.path().join("key.json"), folder.path().join("right"), folder.path().join("wrong"));
        fs::write(&right, "correct horse\n").unwrap();
        fs::write(&wrong, "wrong horse").unwrap();

        let made = create_keystore(&keystore, Some(&right)).unwrap();

        assert_eq!(args(&keystore, &right).load(1).unwrap().address(), made.address());
        assert!(matches!(args(&keystore, &wrong).load(1), Err(KeyError::WrongPassword(_))));
        assert_eq!(address_of(&keystore).unwrap(), made.address(), "without a password");
        assert!(matches!(create_keystore(&keystore, Some(&right)), Err(KeyError::Exists(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "the temporary file is gone");
    }

    #[test]
    fn a_missing_file_and_another_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (other, password) = (folder.path().join("other.json"), folder.path().join("password"));
        fs::write(&password, "correct horse").unwrap();
        fs::write(&other, "{\"version\": 3}").unwrap();

        assert!(matches!(args(&folder.path().join("none"), &password).load(1), Err(KeyError::NoSuchKeystore(_))));
        assert!(matches!(args(&other, &password).load(1), Err(KeyError::NotAKeystore { .. })));
        fs::write(&password, "\n").unwrap();
        let keystore = folder.path().join("new.json");
        assert!(matches!(create_keystore(&keystore, Some(&password)), Err(KeyError::EmptyPassword(_))));
        fs::write(&password, "short\n").unwrap();
        assert!(matches!(create_keystore(&keystore, Some(&password)), Err(KeyError::WeakPassword)));
        assert!(!keystore.exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_secret_that_others_may_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (keystore, password) = (folder.path().join("key.json"), folder.path().join("password"));
        fs::write(&password, "correct horse\n").unwrap();
        create_keystore(&keystore, Some(&password)).unwrap();

        assert!(check_private(&keystore).is_ok(), "as it was made");
        fs::set_permissions(&keystore, fs::Permissions::from_mode(0o640)).unwrap();
        let said = check_private(&keystore).unwrap_err().to_string();
        assert!(said.contains("mode 640") && said.contains("chmod 600"), "{said}");
    }

    #[test]
    fn a_plain_key_is_for_local_chains() {
        let args = |key: &str| KeyArgs { keystore: None, password_file: None, dev_key: Some(key.to_owned()) };

        assert!(args(KEY).load(31_337).is_ok());
        assert!(matches!(args(KEY).load(1), Err(KeyError::DevKeyElsewhere(1))));
        assert!(matches!(args("0x12").load(31_337), Err(KeyError::MalformedDevKey)));
        assert!(matches!(args(&"0".repeat(64)).load(31_337), Err(KeyError::MalformedDevKey)));
    }

    #[test]
    fn a_keystore_cannot_ask_for_unbounded_work() {
        let keystore = |n: u64, dklen: u64| {
            serde_json::json!({"crypto": {
                "cipherparams": {"iv": "0".repeat(32)}, "ciphertext": "0".repeat(64),
                "kdfparams": {"n": n, "r": 8, "p": 1, "dklen": dklen, "salt": "00"},
            }})
        };

        assert_eq!(check_structure(&keystore(1 << 18, 32)), Ok(()));
        assert!(check_structure(&keystore(1 << 40, 32)).is_err());
        assert!(check_structure(&keystore(1 << 18, 8)).is_err());
    }
}
