//! An S3 of one's own: moto, which speaks as Amazon's does and keeps everything in memory.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use alloy::transports::http::reqwest::{self, Client};
use eyre::{OptionExt as _, Result, ensure};

use crate::{devnet::Devnet, process::Process};

/// The only bucket.
pub const BUCKET: &str = "pictures";

/// Longer than Python takes to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running server; gone when dropped.
#[derive(Debug)]
pub struct S3 {
    url: String,
    _process: Process,
}

impl S3 {
    /// Starts it on a free port, with an empty bucket.
    pub async fn start(devnet: &Devnet) -> Result<Self> {
        let program = installed()?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]);
        let log = devnet.folder.join("s3.log");
        let process = Process::start(command, &log)?;
        let url = devnet
            .until("moto to be up", START, async || {
                let text = fs::read_to_string(&log)?;
                let served = text.lines().find_map(|line| line.split_once("Running on ")).map(|(_, url)| url.trim());
                Ok(served.map(str::to_owned))
            })
            .await?;
        let made = Client::new().put(format!("{url}/{BUCKET}")).send().await?;
        ensure!(made.status().is_success(), "no bucket could be made: {}", made.text().await?);
        Ok(Self { url, _process: process })
    }

    /// What a node finds it by.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "quorate"),
            ("AWS_SECRET_ACCESS_KEY", "quorate"),
        ]
    }

    /// The names of all that is kept, in one text.
    pub async fn listing(&self) -> Result<String> {
        Ok(reqwest::get(format!("{}/{BUCKET}?list-type=2", self.url)).await?.text().await?)
    }
}

/// Where `scripts/setup --with-tests` puts it.
fn installed() -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var_os("HOME").ok_or_eyre("HOME is not set")?).join(".cache"),
    };
    let program = cache.join("quorate/tests/venv/bin/moto_server");
    ensure!(program.is_file(), "moto is missing: run scripts/setup --with-tests first");
    Ok(program)
}
