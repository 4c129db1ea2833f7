//! Due: what a job waits for, and the transaction that anyone may send to move it on.

use std::fmt;

use alloy::{
    primitives::{Bytes, U256},
    sol_types::SolCall,
};
use serde::Serialize;

use crate::{
    appeal::NextRound,
    chain::{
        ChainTime, History,
        IGenerationOracle::{
            Job, Outcome, Phase, Windows, deliverCall, drawCall, expireCall, settleCall, settleEarlierCall,
        },
        Known,
    },
    fees::{deliver_bounty, draw_bounty, settle_bounty},
};

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Due {
    /// The draw of the latest round, with the randomness of that number.
    Draw {
        /// The round.
        number: u8,
        /// For RANDAO a block's, for drand a round's.
        randomness: u64,
    },
    /// The last word.
    Settle(u8),
    /// The money of an earlier round.
    SettleEarlier(u8),
    /// The call of the consumer.
    Deliver,
    /// The fee's way back.
    Expire,
    /// Nothing, until something else happens.
    Nothing(Wait),
}

/// Why nothing is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Wait {
    /// The draw is possible once this many more blocks are mined.
    Blocks(u64),
    /// The draw is possible in so many seconds.
    Seconds(u64),
    /// The operators commit; their window closes in so many seconds.
    Commit(u64),
    /// The operators reveal; their window closes in so many seconds.
    Reveal(u64),
    /// The verdict can be appealed for so many seconds.
    Appeal(u64),
    /// The verdict is final in so many seconds: no round can follow.
    Final(u64),
    /// The job is over.
    Over,
    /// There is no such job.
    Unknown,
}

impl Due {
    /// Of a job as it stands.
    #[must_use]
    pub fn of(job: &Job, history: &History, windows: &Windows, now: ChainTime) -> Self {
        let phase = history.phase(job, windows, now);
        let Some(latest) = history.latest() else { return Self::Nothing(Wait::Unknown) };
        let left = latest.deadline(job, windows, phase).unwrap_or_default().saturating_sub(now.time);
        match phase {
            Phase::Requested => Self::Nothing(Wait::until(latest.known, now)),
            Phase::Draw => Self::Draw { number: latest.number, randomness: latest.randomness },
            Phase::Expired => Self::Expire,
            Phase::Commit => Self::Nothing(Wait::Commit(left)),
            Phase::Reveal => Self::Nothing(Wait::Reveal(left)),
            Phase::Appeal if NextRound::after(job, latest.number).is_err() => Self::Nothing(Wait::Final(left)),
            Phase::Appeal => Self::Nothing(Wait::Appeal(left)),
            Phase::Settle => Self::Settle(latest.number),
            _ => Self::after_verdict(job, history),
        }
    }

    fn after_verdict(job: &Job, history: &History) -> Self {
        let expired = history.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Expired);
        let unsettled = history.rounds.iter().rev().find(|round| round.settled.is_none());
        match unsettled {
            _ if expired => Self::Nothing(Wait::Over),
            Some(round) => Self::SettleEarlier(round.number),
            None if !job.terms.consumer.is_zero() && history.delivered.is_none() => Self::Deliver,
            None => Self::Nothing(Wait::Over),
        }
    }

    /// What whoever sends it gets, in wei.
    #[must_use]
    pub fn bounty(&self, job: &Job) -> U256 {
        match *self {
            Self::Draw { number, .. } => draw_bounty(job, number),
            Self::Settle(number) | Self::SettleEarlier(number) => settle_bounty(job, number),
            Self::Deliver => deliver_bounty(job),
            Self::Expire | Self::Nothing(_) => U256::ZERO,
        }
    }

    /// The call; none if nothing is due. `proof` is of the randomness, and used by the draw only.
    #[must_use]
    pub fn calldata(&self, job: &Job, history: &History, proof: &Bytes) -> Option<Bytes> {
        let (job, verdict) = (job.clone(), history.verdict.clone());
        let round = |number| history.round(number).map(|round| round.calldata());
        let data = match *self {
            Self::Draw { .. } => drawCall { job, proof: proof.clone() }.abi_encode(),
            Self::Settle(number) => settleCall { job, round: round(number)? }.abi_encode(),
            Self::SettleEarlier(number) => {
                settleEarlierCall { job, round: round(number)?, verdict: verdict? }.abi_encode()
            }
            Self::Deliver => deliverCall { job, verdict: verdict? }.abi_encode(),
            Self::Expire => expireCall { job }.abi_encode(),
            Self::Nothing(_) => return None,
        };
        Some(data.into())
    }

    /// Its name; none if nothing is due.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Draw { .. } => Some("draw"),
            Self::Settle(_) => Some("settle"),
            Self::SettleEarlier(_) => Some("settleEarlier"),
            Self::Deliver => Some("deliver"),
            Self::Expire => Some("expire"),
            Self::Nothing(_) => None,
        }
    }
}

impl Wait {
    /// For a seed.
    fn until(known: Known, now: ChainTime) -> Self {
        match known {
            Known::After(block) => Self::Blocks((block + 1).saturating_sub(now.block)),
            Known::At(time) => Self::Seconds(time.saturating_sub(now.time)),
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draw { number, .. } => write!(f, "drawing the committee of round {number}"),
            Self::Settle(number) => write!(f, "settling round {number}, which decides the job"),
            Self::SettleEarlier(number) => write!(f, "settling round {number}"),
            Self::Deliver => f.write_str("telling the consumer"),
            Self::Expire => f.write_str("sending the fee back"),
            Self::Nothing(wait) => wait.fmt(f),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocks(blocks) => {
                write!(f, "the draw is possible in {blocks} block{}", if *blocks == 1 { "" } else { "s" })
            }
            Self::Seconds(seconds) => write!(f, "the draw is possible in {seconds} s"),
            Self::Commit(seconds) => {
                write!(f, "verifiers generate and commit; they have {seconds} s more at most")
            }
            Self::Reveal(seconds) => write!(f, "verifiers reveal; they have {seconds} s more at most"),
            Self::Appeal(seconds) => write!(f, "the verdict can be appealed for {seconds} s more"),
            Self::Final(seconds) => write!(f, "the verdict is final in {seconds} s"),
            Self::Over => f.write_str("the job is over"),
            Self::Unknown => f.write_str("the request is no longer part of the chain"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256};

    use super::*;
    use crate::chain::{IGenerationOracle::Verdict, RoundHistory, Settlement};

    fn round(number: u8, settled: bool) -> RoundHistory {
        RoundHistory {
            number,
            payer: Address::ZERO,
            randomness: 10,
            known: Known::After(10),
            draw_deadline: 100,
            drawn: None,
            settled: settled.then(Settlement::default),
            reward: U256::ZERO,
        }
    }

    fn due(job: &Job, history: &History, block: u64, time: u64) -> Due {
        Due::of(job, history, &Windows::default(), ChainTime { block, time })
    }

    #[test]
    fn a_job_is_drawn_once_its_seed_is_known_and_expires_if_nobody_does() {
        let history = History { rounds: vec![round(1, false)], ..History::default() };
        let job = Job::default();

        assert_eq!(due(&job, &history, 8, 50), Due::Nothing(Wait::Blocks(3)));
        assert_eq!(due(&job, &history, 11, 50), Due::Draw { number: 1, randomness: 10 });
        assert_eq!(due(&job, &history, 300, 100), Due::Expire);
        assert_eq!(due(&job, &History::default(), 8, 50), Due::Nothing(Wait::Unknown));
    }

    #[test]
    fn a_seed_of_drand_is_waited_for_by_the_clock() {
        let history =
            History { rounds: vec![RoundHistory { known: Known::At(70), ..round(1, false) }], ..History::default() };
        let job = Job::default();

        assert_eq!(due(&job, &history, 300, 50), Due::Nothing(Wait::Seconds(20)));
        assert_eq!(due(&job, &history, 1, 70), Due::Draw { number: 1, randomness: 10 });
        assert_eq!(due(&job, &history, 1, 100), Due::Expire);
    }

    #[test]
    fn earlier_rounds_are_settled_from_the_last_but_one_down_and_then_the_consumer_is_told() {
        let (digest, safe_value) = (B256::ZERO, U256::ZERO);
        let verdict = Verdict { outcome: Outcome::Unresolved, digest, round: 2, supporters: 0, safeValue: safe_value };
        let mut history = History { rounds: vec![round(1, false), round(2, false)], ..History::default() };
        let mut job = Job::default();
        job.terms.consumer = Address::repeat_byte(1);

        assert_eq!(due(&job, &history, 300, 100), Due::Settle(2));
        (history.verdict, history.rounds[1]) = (Some(verdict), round(2, true));
        assert_eq!(due(&job, &history, 300, 100), Due::SettleEarlier(1));
        history.rounds[0] = round(1, true);
        assert_eq!(due(&job, &history, 300, 100), Due::Deliver);
        history.delivered = Some(false);
        assert_eq!(due(&job, &history, 300, 100), Due::Nothing(Wait::Over));
    }

    #[test]
    fn what_is_due_is_a_call_that_hands_everything_back() {
        let history = History { rounds: vec![round(1, false)], ..History::default() };
        let call = Due::Settle(1).calldata(&Job::default(), &history, &Bytes::new());

        assert_eq!(call.map(|data| data[..4].to_vec()), Some(settleCall::SELECTOR.to_vec()));
        assert_eq!(Due::Nothing(Wait::Over).calldata(&Job::default(), &history, &Bytes::new()), None);
    }
}
