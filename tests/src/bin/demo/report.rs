//! `demo-out/report.json`: everything that happened, for programs. Amounts are decimal strings, in wei.

use std::path::Path;

use alloy::primitives::{Address, B256, U256};
use eyre::Result;
use oracle::{chain::Deployment, digest::ToleranceProfile};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Of the prompts.
    pub seed: u64,
    /// What was shown, in three lines.
    pub shown: [String; 3],
    pub chain: ChainReport,
    pub model: ModelReport,
    pub verifiers: Vec<VerifierReport>,
    pub requester: Account,
    pub jobs: Vec<JobReport>,
    pub totals: Totals,
    pub contact_sheet: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChainReport {
    #[serde(flatten)]
    pub deployment: Deployment,
    pub last_block: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelReport {
    pub id: B256,
    pub name: String,
    pub manifest_hash: B256,
    pub tolerance: ToleranceProfile,
    #[serde(with = "wei")]
    pub seat_stake: U256,
}

/// One verifier: how it computes, and what it had before and after.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifierReport {
    pub name: String,
    pub address: Address,
    pub seat: u32,
    pub profile: String,
    pub honest: bool,
    pub before: Money,
    pub after: Money,
}

#[derive(Serialize)]
pub(crate) struct Account {
    pub address: Address,
    pub before: Money,
    pub after: Money,
}

/// What one account has.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Money {
    /// In its own hands; gas comes out of it.
    #[serde(with = "wei")]
    pub balance: U256,
    /// At the oracle: what was paid too much and came back, bounties, and what the seat has earned.
    #[serde(with = "wei")]
    pub credit: U256,
    /// In its seat.
    #[serde(with = "wei")]
    pub stake: U256,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobReport {
    pub id: B256,
    pub prompt: String,
    pub committee_size: u8,
    #[serde(with = "wei")]
    pub fee: U256,
    /// What generation started from; none if it was never drawn.
    pub noise_seed: Option<B256>,
    /// `accepted`, `unresolved` or `expired`.
    pub verdict: &'static str,
    pub digest: Option<B256>,
    pub votes: Vec<VoteReport>,
    pub paid: Vec<Amount>,
    pub slashed: Vec<Amount>,
    #[serde(with = "wei")]
    pub refunded: U256,
    pub gas: GasReport,
    /// What `oracle fetch` got.
    pub image: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VoteReport {
    pub verifier: String,
    pub seat: u32,
    pub honest: bool,
    pub step: &'static str,
    pub digest: Option<B256>,
    /// To the winning digest, in bits: aHash, dHash, pHash, colour.
    pub distances: Option<[u32; 4]>,
    pub zone: Option<&'static str>,
    pub content_hash: Option<B256>,
    pub image: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Amount {
    pub verifier: String,
    #[serde(with = "wei")]
    pub amount: U256,
}

#[derive(Serialize)]
pub(crate) struct GasReport {
    pub steps: Vec<GasOfStep>,
    pub total: u64,
}

#[derive(Serialize)]
pub(crate) struct GasOfStep {
    pub step: String,
    pub gas: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    pub accepted: usize,
    pub jobs: usize,
    /// Different files among the honest votes of the job that has most.
    pub most_honest_files: usize,
    /// Between an honest vote and the winner, on any lane.
    pub most_honest_distance: u32,
    pub cheater_votes: usize,
    pub cheater_rejected: usize,
    #[serde(with = "wei")]
    pub paid: U256,
    #[serde(with = "wei")]
    pub slashed: U256,
    #[serde(with = "wei")]
    pub refunded: U256,
    pub gas: u64,
    pub seconds: u64,
}

impl Report {
    /// Writes it whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let partial = path.with_extension("json.part");
        std::fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        Ok(std::fs::rename(partial, path)?)
    }
}

mod wei {
    use alloy::primitives::U256;
    use serde::Serializer;

    pub(super) fn serialize<S: Serializer>(amount: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }
}
