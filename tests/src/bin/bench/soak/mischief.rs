//! Mischief: what happens to nodes, to their endpoints and to the chain, all of it drawn from a seed.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use alloy::primitives::keccak256;
use eyre::{OptionExt as _, Result};
use quorate_tests::{
    devnet::Devnet,
    proxy::{Fault, Proxy},
    verifier::Verifier,
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// What endpoints do.
const FAULTS: [(&str, Fault); 12] = [
    ("down", Fault::Down),
    ("drops", Fault::Drops),
    ("hangs", Fault::Hangs),
    ("slow", Fault::Delays(Duration::from_millis(250))),
    ("very slow", Fault::Delays(Duration::from_secs(1))),
    ("duplicates", Fault::Duplicates),
    ("truncates", Fault::Truncates),
    ("limits the rate", Fault::RateLimits(5)),
    ("lags a little", Fault::Lags(2)),
    ("lags", Fault::Lags(20)),
    ("on another chain", Fault::OtherChain),
    ("leaves logs out", Fault::HalfOfLogs),
];

/// One time out of so many, both endpoints of a node fail.
const BOTH: u64 = 4;

/// How long an endpoint misbehaves, in milliseconds.
const ILL: Range<u64> = 1_000..12_000;

/// How long both are well in between, in milliseconds.
const WELL: Range<u64> = 2_000..20_000;

/// How long it takes until a node is started again that was killed, in milliseconds.
const DEAD: Range<u64> = 0..4_000;

/// Between two reorganisations, in milliseconds.
const PEACE: Range<u64> = 10_000..40_000;

/// Blocks that a reorganisation drops: up to one more than the nodes wait for.
const DEPTH: Range<u64> = 1..4;

/// A node with its two endpoints.
pub(super) struct Patient {
    pub(super) node: Verifier,
    endpoints: [Proxy; 2],
    dead_until: Option<Instant>,
    ill: bool,
    /// When its endpoints fail, or are well again.
    turns: Instant,
}

pub(super) struct Mischief {
    random: ChaCha20Rng,
    patients: Vec<Patient>,
    reorganises: Instant,
    /// So far.
    pub(super) kills: usize,
    /// Nodes that ended without being killed.
    pub(super) exits: usize,
    /// How often each kind happened.
    pub(super) faults: BTreeMap<&'static str, usize>,
}

impl Patient {
    pub(super) fn new(node: Verifier, endpoints: [Proxy; 2]) -> Self {
        Self { node, endpoints, dead_until: None, ill: false, turns: Instant::now() }
    }

    fn recover(&mut self) {
        self.ill = false;
        self.endpoints.iter().for_each(|endpoint| endpoint.set(None));
    }
}

impl Mischief {
    /// Of all but the first.
    pub(super) fn new(seed: u64, patients: Vec<Patient>) -> Self {
        let random = ChaCha20Rng::from_seed(keccak256(seed.to_be_bytes()).0);
        let reorganises = Instant::now();
        Self { random, patients, reorganises, kills: 0, exits: 0, faults: BTreeMap::new() }
    }

    /// Does what is due, which is up to one more kill if there were fewer than `kills`.
    pub(super) async fn turn(&mut self, devnet: &Devnet, kills: usize) -> Result<()> {
        let now = Instant::now();
        for number in 0..self.patients.len() {
            self.revive(number, now)?;
            self.trouble(number, now);
        }
        if self.kills < kills {
            self.kill(now);
        }
        if self.reorganises <= now {
            let depth = DEPTH.start + self.below(DEPTH.end - DEPTH.start);
            devnet.reorganise(depth).await?;
            self.happened("reorganisation");
            self.reorganises = now + self.within(PEACE);
        }
        Ok(())
    }

    /// The process that is never killed.
    pub(super) fn spared(&self) -> Result<u32> {
        self.patients.first().and_then(|patient| patient.node.process_id()).ok_or_eyre("the first node does not run")
    }

    /// Everything is well from now on.
    pub(super) fn cease(&mut self) -> Result<()> {
        for patient in &mut self.patients {
            patient.recover();
            if patient.dead_until.take().is_some() {
                patient.node.start()?;
            }
        }
        Ok(())
    }

    /// As a supervisor would: a node that has ended by itself as well.
    fn revive(&mut self, number: usize, now: Instant) -> Result<()> {
        let pause = self.within(DEAD);
        let patient = &mut self.patients[number];
        if let Some(status) = patient.node.ended()? {
            eprintln!("{} ended with {status}", patient.node.party.name);
            patient.node.kill();
            patient.dead_until = Some(now + pause);
            self.exits += 1;
        } else if patient.dead_until.is_some_and(|until| until <= now) {
            patient.dead_until = None;
            patient.node.start()?;
        }
        Ok(())
    }

    fn trouble(&mut self, number: usize, now: Instant) {
        if self.patients[number].turns > now {
            return;
        }
        if self.patients[number].ill {
            self.patients[number].recover();
            self.patients[number].turns = now + self.within(WELL);
            return;
        }
        let (name, fault) = FAULTS[self.index(FAULTS.len())];
        // What both leave out nobody can know of.
        let both = self.below(BOTH) == 0 && fault != Fault::HalfOfLogs;
        let (one, until) = (self.index(2), now + self.within(ILL));
        let patient = &mut self.patients[number];
        for (number, endpoint) in patient.endpoints.iter().enumerate() {
            endpoint.set((both || number == one).then_some(fault));
        }
        (patient.ill, patient.turns) = (true, until);
        self.happened(name);
    }

    fn kill(&mut self, now: Instant) {
        let victim = 1 + self.index(self.patients.len() - 1);
        let until = now + self.within(DEAD);
        let patient = &mut self.patients[victim];
        if patient.dead_until.is_none() {
            patient.node.kill();
            patient.dead_until = Some(until);
            self.kills += 1;
        }
    }

    fn happened(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Some number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// Some time, in milliseconds.
    fn within(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }
}
