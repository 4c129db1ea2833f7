//! A machine of its own for each test: a home, a models folder, and the program.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::server::Server;

/// What `main` is on the imitated hub.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) struct Machine {
    pub(crate) home: PathBuf,
    pub(crate) models: PathBuf,
    settings: Vec<(String, String)>,
    _folder: TempDir,
}

impl Machine {
    /// One that takes `hub` for the hub.
    pub(crate) fn new(hub: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (home, models) = (folder.path().join("home"), folder.path().join("models"));
        fs::create_dir(&home).unwrap();
        let settings = vec![
            ("HOME".to_owned(), home.display().to_string()),
            ("HF_ENDPOINT".to_owned(), hub.url.clone()),
            ("QUORATE_MODELS_DIR".to_owned(), models.display().to_string()),
        ];
        Self { home, models, settings, _folder: folder }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What `oracle models` prints.
    pub(crate) fn succeed(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Why `oracle models` refuses, which is one line.
    pub(crate) fn refuse(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let error = said.lines().last().unwrap().strip_prefix("error: ").unwrap().to_owned();
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed["error"], error);
        error
    }

    pub(crate) fn manifest(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.models.join(name).join("quorate-model.json")).unwrap()).unwrap()
    }

    pub(crate) fn write_manifest(&self, name: &str, manifest: &Value) {
        fs::create_dir_all(self.models.join(name)).unwrap();
        fs::write(self.models.join(name).join("quorate-model.json"), manifest.to_string()).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oracle"));
        command.env_clear().args(["--json", "models"]).args(args);
        command.envs(self.settings.iter().cloned()).current_dir(&self.home).output().unwrap()
    }
}

/// As manifests have it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("0x".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}
