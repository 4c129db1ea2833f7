//! A verifier: a party with a seat, and the real node running for it as a process.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use alloy::primitives::{Address, B256};
use eyre::{OptionExt as _, Result, bail};
use oracle::finality::Finality;
use tokio::task::JoinSet;

use crate::{devnet::Devnet, party::Party, process::Process, programs, proxy::Proxy};

/// Loading a model and making one picture on a busy machine takes less.
const START: Duration = Duration::from_secs(180);

/// How a node computes: settings that every operator can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// For people.
    pub name: &'static str,
    /// As `prover-node run` takes them.
    pub flags: &'static [&'static str],
}

/// Four that seldom make the same file, and digests that agree. One thread each, since they share a machine.
pub const PROFILES: [Profile; 4] = [
    Profile { name: "f32", flags: &["--arithmetic", "f32", "--threads", "1"] },
    Profile { name: "f16", flags: &["--arithmetic", "f16", "--threads", "1"] },
    Profile { name: "f16 two-pass", flags: &["--arithmetic", "f16", "--guidance-mode", "two-pass", "--threads", "1"] },
    Profile { name: "f16 sliced", flags: &["--arithmetic", "f16", "--attention", "sliced", "--threads", "1"] },
];

/// A seat and its node.
#[derive(Debug)]
pub struct Verifier {
    /// Owner and operator.
    pub party: Party,
    /// Number in the model's pool.
    pub seat: u32,
    program: PathBuf,
    model_dir: PathBuf,
    data_dir: PathBuf,
    flags: Vec<String>,
    log: PathBuf,
    finality: Finality,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    /// Bytes that were in its log before its last start.
    logged: usize,
}

impl Verifier {
    /// Takes a seat for each party by `prover-node register`, all at the same time.
    pub async fn register(devnet: &Devnet, parties: Vec<Party>, model: B256) -> Result<Vec<Self>> {
        let mut registrations = JoinSet::new();
        for party in &parties {
            let command = devnet.prover_node()?.args(["register", "--model", &model.to_string()]).signed_by(party);
            registrations.spawn(command.succeed());
        }
        while let Some(ended) = registrations.join_next().await {
            ended??;
        }

        let stakes = devnet.chain.stakes();
        let enrolled = stakes.Enrolled_filter().topic1(model).from_block(devnet.chain.deployment.block).query().await?;
        let seat_of = |party: &Party| {
            let mine = enrolled.iter().map(|(event, _)| event).find(|event| event.owner == party.address());
            mine.map(|event| event.seat).ok_or_eyre(format!("{} has no seat", party.name))
        };
        parties.into_iter().map(|party| Self::seated(devnet, seat_of(&party)?, party)).collect()
    }

    /// A node without a seat of its own: others may name it their operator.
    pub fn unseated(devnet: &Devnet, party: Party) -> Result<Self> {
        Self::seated(devnet, u32::MAX, party)
    }

    fn seated(devnet: &Devnet, seat: u32, party: Party) -> Result<Self> {
        let data_dir = devnet.folder.join(&party.name);
        let mut flags: Vec<String> = devnet.chain_args().into();
        flags.extend(["--data-dir".to_owned(), data_dir.display().to_string()]);
        flags.extend(["--keystore".to_owned(), party.keystore.display().to_string()]);
        flags.extend(["--password-file".to_owned(), party.password_file.display().to_string()]);
        flags.extend(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"].map(str::to_owned));
        let log = devnet.folder.join(format!("{}.log", party.name));
        let (program, model_dir) = (programs::built("prover-node")?, programs::bundled_model());
        Ok(Self {
            party,
            seat,
            program,
            model_dir,
            flags,
            data_dir,
            log,
            finality: Finality::Depth(1),
            environment: Vec::new(),
            process: None,
            logged: 0,
        })
    }

    /// Gives the node more flags.
    #[must_use]
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Asks these endpoints, and not the chain's own.
    #[must_use]
    pub fn through(mut self, proxies: &[Proxy]) -> Self {
        let urls: Vec<_> = proxies.iter().map(Proxy::url).collect();
        if let Some(flag) = self.flags.iter().position(|flag| flag == "--rpc-url") {
            self.flags[flag + 1] = urls.join(",");
        }
        self
    }

    /// The same seat and key in another node, with a data directory of its own.
    #[must_use]
    pub fn twin(&self, devnet: &Devnet) -> Self {
        let name = format!("{}-twin", self.party.name);
        let (mut flags, data_dir) = (self.flags.clone(), devnet.folder.join(&name));
        if let Some(flag) = flags.iter().position(|flag| flag == "--data-dir") {
            flags[flag + 1] = data_dir.display().to_string();
        }
        let (program, model_dir) = (self.program.clone(), self.model_dir.clone());
        let (party, seat, finality) = (Party { name: name.clone(), ..self.party.clone() }, self.seat, self.finality);
        let log = devnet.folder.join(format!("{name}.log"));
        let environment = Vec::new();
        Self { party, seat, program, model_dir, data_dir, flags, log, finality, environment, process: None, logged: 0 }
    }

    /// Serves another model than the bundled one.
    #[must_use]
    pub fn serving(self, model_dir: &Path) -> Self {
        Self { model_dir: model_dir.to_owned(), ..self }
    }

    /// When a block counts for the node; once one is on top of it, if this is not said.
    #[must_use]
    pub fn with_finality(self, finality: Finality) -> Self {
        Self { finality, ..self }
    }

    /// Runs another program in the node's place, which takes the same flags.
    #[must_use]
    pub fn by(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// Sets a variable of the node's environment, or none any more, from its next start on.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(set, _)| set != name);
        self.environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Starts the node.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg("--model-dir")
            .arg(&self.model_dir)
            .args(&self.flags)
            .args(["--finality", &self.finality.to_string()])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("NO_COLOR", "1")
            .env("RAYON_NUM_THREADS", "1");
        self.logged = std::fs::metadata(&self.log).map_or(0, |log| usize::try_from(log.len()).unwrap_or(usize::MAX));
        self.process = Some(Process::start(command, &self.log)?);
        Ok(())
    }

    /// Ends the node as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// How the node has ended, if it was started and has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.as_mut().map(Process::ended).transpose()?.flatten())
    }

    /// Waits until the node works: it says so in its log, whether or not there are blocks.
    pub async fn up(&mut self, devnet: &Devnet) -> Result<()> {
        let what = format!("{} to be up", self.party.name);
        let (log, from) = (self.log.clone(), self.logged);
        devnet
            .until(&what, START, async || {
                let text = std::fs::read(&log)?;
                let said = String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned();
                if let Some(status) = self.ended()? {
                    bail!("{} ended with {status}:\n{said}", self.party.name);
                }
                Ok(said.contains("serving outputs").then_some(()))
            })
            .await
    }

    /// Waits until the node has said on chain where its outputs are, which it does once its model works.
    pub async fn ready(&mut self, devnet: &Devnet) -> Result<()> {
        let address = self.party.address();
        let what = format!("{} to be ready", self.party.name);
        devnet
            .until(&what, START, async || {
                if let Some(status) = self.process.as_mut().map(Process::ended).transpose()?.flatten() {
                    bail!("{} ended with {status}:\n{}", self.party.name, std::fs::read_to_string(&self.log)?);
                }
                endpoint(devnet, address).await
            })
            .await?;
        Ok(())
    }

    /// The number of its process, if it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Where its journal and outputs are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where it says how it is, once it is ready: read from its log, as an operator would.
    pub fn metrics_url(&self) -> Result<String> {
        let log = std::fs::read_to_string(&self.log)?;
        let served = log.lines().filter_map(|line| line.split_once("serving metrics at=")).next_back();
        let (_, address) = served.ok_or_eyre(format!("{} serves no metrics", self.party.name))?;
        Ok(format!("http://{address}"))
    }

    /// Where its log is.
    #[must_use]
    pub fn log(&self) -> &std::path::Path {
        &self.log
    }
}

/// Waits until every seat in the pool of `model` is old enough for the next request to draw it.
pub async fn come_of_age(devnet: &Devnet, model: B256) -> Result<()> {
    let stakes = devnet.chain.stakes();
    devnet
        .until("the seats to be old enough", START, async || {
            let pool = stakes.poolOf(model).call().await?;
            Ok((pool.old == pool.active).then_some(()))
        })
        .await
}

/// Where an operator serves its outputs, as last announced.
pub async fn endpoint(devnet: &Devnet, operator: Address) -> Result<Option<String>> {
    let events = devnet
        .chain
        .stakes()
        .EndpointAnnounced_filter()
        .topic1(operator)
        .from_block(devnet.chain.deployment.block)
        .query()
        .await?;
    Ok(events.last().map(|(event, _)| event.url.clone()))
}
