//! Intents: what is to be done on chain, what for, and until when.

use std::fmt;

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256, hex},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};

use crate::job::{RoundKey, Seat};

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What for.
    pub purpose: Purpose,
    /// The call.
    pub call: Call,
    /// From when on it is not worth sending, in seconds of the chain since the epoch.
    pub deadline: u64,
}

/// What a transaction is for. Of each purpose there is one transaction at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Purpose {
    /// What it does.
    pub step: Step,
    /// Of which round; none if it has to do with no job.
    pub round: Option<RoundKey>,
    /// For which seat; none if it does not matter whose.
    pub seat: Option<u32>,
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Says where the outputs are.
    Announce,
    /// Draws a round.
    Draw,
    /// Commits a seat, and draws if that has not been done.
    Commit,
    /// Says that a seat takes no part.
    Decline,
    /// Opens a seat's commitment.
    Reveal,
    /// Pays for another round.
    Appeal,
    /// Settles, or tells the consumer.
    Conclude,
}

/// A call of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The contract.
    pub to: Address,
    /// Selector and arguments.
    pub data: Bytes,
    /// Sent with it, in wei.
    pub value: U256,
}

impl Call {
    /// A call of `method` to `contract`.
    #[must_use]
    pub fn new(contract: Address, method: &impl SolCall) -> Self {
        Self { to: contract, data: method.abi_encode().into(), value: U256::ZERO }
    }

    /// As the endpoint takes it from `sender`.
    #[must_use]
    pub fn request(&self, sender: Address) -> TransactionRequest {
        let request = TransactionRequest::default().with_from(sender).with_to(self.to);
        request.with_input(self.data.clone()).with_value(self.value)
    }
}

impl Purpose {
    /// Of nobody's job.
    #[must_use]
    pub fn own(step: Step) -> Self {
        Self { step, round: None, seat: None }
    }

    /// For a round, whoever sends it.
    #[must_use]
    pub fn round(step: Step, round: RoundKey) -> Self {
        Self { step, round: Some(round), seat: None }
    }

    /// Of one seat.
    #[must_use]
    pub fn seat(step: Step, round: RoundKey, seat: Seat) -> Self {
        Self { step, round: Some(round), seat: Some(seat.number) }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.step.name())?;
        if let Some(RoundKey { job, number }) = self.round {
            write!(f, " of job {}, round {number}", hex::encode(&job[..4]))?;
        }
        match self.seat {
            Some(seat) => write!(f, ", seat {seat}"),
            None => Ok(()),
        }
    }
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Announce, Self::Draw, Self::Commit, Self::Decline, Self::Reveal, Self::Appeal, Self::Conclude];

    /// Whether it is sent even if it cannot be written down, because the disk is full perhaps: nobody but the seat can do
    /// it, it costs more not to do it in time, and the contract takes it only once.
    #[must_use]
    pub fn is_duty(self) -> bool {
        matches!(self, Self::Decline | Self::Reveal)
    }

    /// In the journal and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Draw => "draw",
            Self::Commit => "commit",
            Self::Decline => "decline",
            Self::Reveal => "reveal",
            Self::Appeal => "appeal",
            Self::Conclude => "conclude",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}
