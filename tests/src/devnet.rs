//! A chain of one's own: anvil with the contracts on it, and the clock in the test's hand.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use alloy::{
    node_bindings::{Anvil, AnvilInstance},
    primitives::{Address, B256, hex, keccak256},
    providers::{Provider, ProviderBuilder, ext::AnvilApi},
    rpc::types::anvil::ReorgOptions,
};
use eyre::{OptionExt as _, Result, WrapErr as _, bail};
use oracle::chain::{Chain, ChainArgs, Deployment, connect};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{sync::Mutex, time::Instant};

use crate::{command::Cli, drand::Network, party::Party, process::log_tails, programs};

/// Accounts that anvil funds.
const ACCOUNTS: usize = 40;

/// How often a condition is looked at while waiting for it.
const GLANCE: Duration = Duration::from_millis(100);

/// How fast blocks come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A block every second, as the demo and the devnet have it.
    Live,
    /// Four blocks every second, each a second of chain time.
    Fast,
}

/// Which times `scripts/Deploy.s.sol` deploys with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Windows of a minute or so.
    Devnet,
    /// Windows of hours.
    Mainnet,
}

/// A fresh chain with Quorate on it; gone when dropped.
#[derive(Debug)]
pub struct Devnet {
    /// The chain, for reading.
    pub chain: Chain,
    /// Holds keystores, logs and the nodes' data.
    pub folder: PathBuf,
    /// Where `chain`'s contracts are, in `folder`.
    pub deployment_file: PathBuf,
    parties: AtomicUsize,
    anvil: AnvilInstance,
    _temporary: TempDir,
}

impl Devnet {
    /// Starts anvil on a free port and deploys with the devnet's times.
    pub async fn start(pace: Pace) -> Result<Self> {
        Self::start_as(pace, Profile::Devnet).await
    }

    /// The same with other times.
    pub async fn start_as(pace: Pace, profile: Profile) -> Result<Self> {
        Self::start_at(pace, profile, None).await
    }

    /// The same, with a first block of that time, in seconds since the epoch.
    pub async fn start_at(pace: Pace, profile: Profile, genesis: Option<u64>) -> Result<Self> {
        Self::start_with(pace, profile, genesis, None).await
    }

    /// With seeds from drand instead of RANDAO.
    pub async fn start_by_drand(pace: Pace, profile: Profile, network: &Network) -> Result<Self> {
        Self::start_with(pace, profile, None, Some(network)).await
    }

    async fn start_with(pace: Pace, profile: Profile, genesis: Option<u64>, drand: Option<&Network>) -> Result<Self> {
        let temporary = TempDir::with_prefix("quorate-")?;
        let folder = temporary.path().to_owned();
        let anvil = start_anvil(pace, genesis, &folder)?;
        let deployment = deploy(&anvil, &folder, profile, drand).await?;
        let deployment_file = folder.join("deployment.json");
        std::fs::write(&deployment_file, serde_json::to_vec_pretty(&deployment)?)?;

        let args = ChainArgs {
            rpc_urls: vec![anvil.endpoint().parse()?],
            deployment: Some(deployment_file.clone()),
            drand_urls: Vec::new(),
        };
        let chain = connect(&args).await?;
        if pace == Pace::Fast {
            chain.provider.anvil_set_block_timestamp_interval(1).await?;
        }
        // The first account has deployed.
        Ok(Self { chain, folder, deployment_file, parties: AtomicUsize::new(1), anvil, _temporary: temporary })
    }

    /// Where the chain is reached.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        self.anvil.endpoint()
    }

    /// Somebody new, with a funded account.
    pub fn party(&self, name: &str) -> Result<Party> {
        let number = self.parties.fetch_add(1, Ordering::Relaxed);
        let key = self.anvil.nth_key(number).ok_or_eyre(format!("only {ACCOUNTS} accounts are funded"))?;
        Party::create(name, key, &self.folder)
    }

    /// An `oracle` command for this chain.
    pub fn oracle(&self) -> Result<Cli> {
        Ok(Cli::oracle()?.on(self.chain_args()))
    }

    /// A `prover-node` command for this chain.
    pub fn prover_node(&self) -> Result<Cli> {
        Ok(Cli::prover_node()?.on(self.chain_args()))
    }

    /// Which chain, as every command takes it.
    #[must_use]
    pub fn chain_args(&self) -> [String; 4] {
        let file = self.deployment_file.display().to_string();
        ["--rpc-url".into(), self.rpc_url(), "--deployment".into(), file]
    }

    /// Lets `seconds` of chain time pass in one block.
    pub async fn pass(&self, seconds: u64) -> Result<()> {
        let now = self.chain.now().await?;
        self.pass_until(now.time + seconds).await
    }

    /// Mines a block at `time`, in seconds since the epoch, unless that is past.
    pub async fn pass_until(&self, time: u64) -> Result<()> {
        // A block may be mined meanwhile: it gets the time, and this one a second more.
        if self.chain.now().await?.time < time {
            self.chain.provider.anvil_set_next_block_timestamp(time).await?;
            self.chain.provider.evm_mine(None).await?;
        }
        Ok(())
    }

    /// Mines `count` blocks at once.
    pub async fn mine(&self, count: u64) -> Result<()> {
        Ok(self.chain.provider.anvil_mine(Some(count), None).await?)
    }

    /// Throws the newest `depth` blocks away, with what is in them, and mines others in their place.
    pub async fn reorganise(&self, depth: u64) -> Result<()> {
        let options = ReorgOptions { depth, tx_block_pairs: Vec::new() };
        Ok(self.chain.provider.anvil_reorg(options).await?)
    }

    /// Looks again and again until `probe` finds something, for `bound` at most.
    pub async fn until<T>(
        &self,
        what: &str,
        bound: Duration,
        mut probe: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(found) = probe().await? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("waited {bound:?} for {what}, in vain{}", log_tails(&self.folder, 15));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The hash of block `number`.
    pub async fn block_hash(&self, number: u64) -> Result<B256> {
        let block = self.chain.provider.get_block_by_number(number.into()).await?;
        Ok(block.ok_or_eyre(format!("there is no block {number}"))?.header.hash)
    }
}

fn start_anvil(pace: Pace, genesis: Option<u64>, folder: &Path) -> Result<AnvilInstance> {
    let interval = match pace {
        Pace::Live => 1.0,
        Pace::Fast => 0.25,
    };
    let timestamp = genesis.map(|time| ["--timestamp".to_owned(), time.to_string()]);
    Anvil::at(programs::foundry("anvil")?)
        .prague()
        .block_time_f64(interval)
        // Keys that nobody else has ever seen.
        .args(["--accounts", &ACCOUNTS.to_string(), "--mnemonic-random"])
        .args(timestamp.into_iter().flatten())
        // What it writes goes with the folder: in its own place, old states of every chain would stay for ever.
        .args(["--cache-path".as_ref(), folder.join("anvil").as_os_str()])
        .timeout(30_000)
        .try_spawn()
        .wrap_err("starting anvil")
}

/// forge compiles what is not compiled yet, and two at a time would do it twice into the same folder.
static FORGE: Mutex<()> = Mutex::const_new(());

/// Runs `scripts/Deploy.s.sol`, and reads the addresses from forge's record of what it sent.
async fn deploy(anvil: &AnvilInstance, folder: &Path, profile: Profile, drand: Option<&Network>) -> Result<Deployment> {
    let profile = match profile {
        Profile::Devnet => "devnet",
        Profile::Mainnet => "mainnet",
    };
    let _alone = FORGE.lock().await;
    let key = hex::encode_prefixed(anvil.first_key().to_bytes());
    let output = tokio::process::Command::new(programs::foundry("forge")?)
        .current_dir(programs::repository())
        .args(["script", "scripts/Deploy.s.sol", "--broadcast", "--rpc-url", &anvil.endpoint(), "--private-key", &key])
        .env("FOUNDRY_BROADCAST", folder)
        .env("FOUNDRY_SOLC", programs::solc())
        .env("QUORATE_DEPLOYMENT", "")
        .env("QUORATE_PROFILE", profile)
        .envs(drand.map(Network::environment).into_iter().flatten())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        bail!("deploying failed:\n{}", String::from_utf8_lossy(&output.stderr).replace(&key, "(key)"));
    }

    let record = folder.join(format!("Deploy.s.sol/{}/run-latest.json", anvil.chain_id()));
    let record: Record = serde_json::from_slice(&std::fs::read(&record)?)?;
    let oracle = record.address_of("GenerationOracle")?;
    let provider = ProviderBuilder::new().connect_http(anvil.endpoint_url());
    Ok(Deployment {
        chain_id: anvil.chain_id(),
        generation_oracle: oracle,
        oracle_code_hash: Some(keccak256(provider.get_code_at(oracle).await?)),
        model_registry: record.address_of("ModelRegistry")?,
        randomness: record.address_of(if drand.is_some() { "DrandRandomness" } else { "RandaoRandomness" })?,
        generation_lens: record.address_of("GenerationLens")?,
        block: record.first_block()?,
    })
}

/// What forge notes of a broadcast.
#[derive(Deserialize)]
struct Record {
    transactions: Vec<Sent>,
    receipts: Vec<Mined>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    contract_name: Option<String>,
    contract_address: Option<Address>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mined {
    block_number: alloy::primitives::U64,
}

impl Record {
    fn address_of(&self, contract: &str) -> Result<Address> {
        self.transactions
            .iter()
            .find(|sent| sent.contract_name.as_deref() == Some(contract))
            .and_then(|sent| sent.contract_address)
            .ok_or_eyre(format!("scripts/Deploy.s.sol has not deployed {contract}"))
    }

    fn first_block(&self) -> Result<u64> {
        self.receipts.iter().map(|mined| mined.block_number.to()).min().ok_or_eyre("nothing was deployed")
    }
}
