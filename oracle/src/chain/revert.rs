//! What a contract says when it refuses, in words.

use std::fmt;

use alloy::{
    primitives::{B256, Bytes, U256, aliases::U96},
    sol_types::{GenericContractError, SolInterface},
};

use super::{
    IGenerationOracle::{IGenerationOracleErrors as OracleError, Phase},
    IModelRegistry::{IModelRegistryErrors as RegistryError, Kind},
    IRandomness::IRandomnessErrors as RandomnessError,
    IVerifierStakes::IVerifierStakesErrors as StakesError,
    ether,
};

/// A decoded revert.
#[derive(Debug, Clone)]
pub enum Revert {
    /// `GenerationOracle` refused.
    Oracle(OracleError),
    /// `ModelRegistry` refused.
    Registry(RegistryError),
    /// The seats refused.
    Stakes(StakesError),
    /// The source of randomness refused.
    Randomness(RandomnessError),
    /// A plain reason, or a panic of the EVM.
    Reason(String),
    /// Nothing that the interfaces know.
    Unknown(Bytes),
}

impl Revert {
    /// Decodes what came with a revert.
    #[must_use]
    pub fn decode(data: &Bytes) -> Self {
        let oracle = OracleError::abi_decode(data).map(Self::Oracle);
        let registry = || RegistryError::abi_decode(data).map(Self::Registry);
        let stakes = || StakesError::abi_decode(data).map(Self::Stakes);
        let randomness = || RandomnessError::abi_decode(data).map(Self::Randomness);
        let reason = || GenericContractError::abi_decode(data).map(|error| Self::Reason(error.to_string()));
        oracle
            .or_else(|_| registry())
            .or_else(|_| stakes())
            .or_else(|_| randomness())
            .or_else(|_| reason())
            .unwrap_or_else(|_| Self::Unknown(data.clone()))
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oracle(error) => f.write_str(&oracle_words(error)),
            Self::Registry(error) => f.write_str(&registry_words(error)),
            Self::Stakes(error) => f.write_str(&stakes_words(error)),
            Self::Randomness(error) => f.write_str(&randomness_words(error)),
            Self::Reason(reason) => write!(f, "the contract refused: {reason}"),
            Self::Unknown(data) if data.is_empty() => f.write_str("the contract refused without a reason"),
            Self::Unknown(data) => write!(f, "the contract refused, in words that this version does not know: {data}"),
        }
    }
}

fn oracle_words(error: &OracleError) -> String {
    use OracleError as E;
    match error {
        E::WrongPhase(e) => format!("this is only possible when the job is {}", phase_words(e.expected)),
        E::WrongCommitteeSize(e) => {
            format!("a committee of {} is not possible: take an odd number from 3 to 31", e.committeeSize)
        }
        E::SuperMajorityTooSmall(e) => {
            format!("a super-majority of {} is not possible: it takes 5 seats or more", e.committeeSize)
        }
        E::PoolTooSmall(e) => format!(
            "the pool of model {} has {} seats that are surely old enough, too few for a committee of {}: take a smaller one, or wait",
            e.modelId, e.seats, e.committeeSize
        ),
        E::ShareOutOfRange(e) => format!(
            "a share of {} per seat is out of range: at least {}, which the work and its gas cost, and at most {}, so that fraud costs 20 shares",
            wei(e.share),
            wei(e.least),
            wei(e.most)
        ),
        E::CommitWindowOutOfRange(e) => {
            format!("a commit window of {} s is out of range: {} to {} s", e.commitWindow, e.least, e.most)
        }
        E::WrongConsumer(e) => format!(
            "{} cannot be called with {} gas: at most 500000 for a contract, and none for nobody",
            e.consumer, e.gas
        ),
        E::BalanceTooSmall(e) => format!(
            "{} has {} at the oracle, what was sent included, and this costs {}: send more, or add to it with `oracle deposit`",
            e.account,
            ether(e.balance),
            ether(e.needed)
        ),
        E::FeeAboveLimit(e) => format!("the fee is {}, above the limit of {}", ether(e.fee), ether(e.limit)),
        E::DelegationOver(e) => format!(
            "the signed request was good until {} only, in seconds since the epoch: have it signed anew",
            e.deadline
        ),
        E::NonceUsed(e) => {
            format!("this or another request of {} with the nonce {} was sent already", e.requester, e.nonce)
        }
        E::WrongSignature(e) => format!(
            "{} has not signed this: the signature is another's, or something was changed afterwards",
            e.requester
        ),
        E::WrongRound(e) => format!(
            "round {} of job {} is drawn otherwise: somebody was faster, or a reorganisation changed the draw",
            e.number, e.jobId
        ),
        E::OtherDraw(e) => format!(
            "a reorganisation changed the draw from {} to {}: generate again from the new noise",
            e.answered, e.actual
        ),
        E::NotOperator(e) => format!("{} does not operate member {}: use the operator's key", e.caller, e.member),
        E::AlreadyVoted(e) => format!("member {} has already taken this step", e.member),
        E::NotCommitted(e) => format!("member {} has no commitment to open", e.member),
        E::WrongOpening(e) => format!("the opening does not fit what member {} committed to", e.member),
        E::WrongVerdict(e) => format!("that is not the verdict of job {}", e.jobId),
        E::NotDeliverable(e) => format!(
            "job {} has no consumer to tell, or it was told already, or its rounds are not all settled",
            e.jobId
        ),
        E::GasTooLow(e) => format!("{} gas are left and the consumer needs {}: send more", e.left, e.needed),
        E::NothingToWithdraw(e) => format!("nothing is credited to {}", e.account),
        E::BadWindows(e) => format!("the windows do not fit together: {:?}", e.windows),
    }
}

fn registry_words(error: &RegistryError) -> String {
    use RegistryError as E;
    match error {
        E::UnknownModel(e) => format!("there is no model {}; `oracle models list` shows those there are", e.modelId),
        E::AlreadyRegistered(e) => format!("model {} is registered already", e.modelId),
        E::NotModelOwner(e) => {
            format!("the model's owner is to be {}, and {} sent this: the owner registers it", e.owner, e.caller)
        }
        E::EmptyManifest(_) => "the manifest's hash is zero".to_owned(),
        E::BadProfile(e) => format!(
            "the tolerance of lane {} is not allowed: accept is {} and at most 10, reject is {}, at least twice accept and at most 24 (of a text 0 and 64)",
            e.lane, e.accept, e.reject
        ),
        E::BadBounds(_) => {
            "the bounds are not allowed: of images sides 1 to 4096, both ends divisible by the step, and 1 to 1000 steps; of texts 1 to 32768 tokens and 1 to 16 beams; all others zero"
                .to_owned()
        }
        E::WrongKind(e) => match e.kind {
            Kind::Image => format!("model {} makes pictures", e.modelId),
            _ => format!("model {} makes texts", e.modelId),
        },
        E::RoyaltyTooLarge(e) => {
            format!("a royalty of {} ten-thousandths is too large: at most {}", e.royalty, e.most)
        }
        E::SeatStakeTooSmall(e) => format!("a seat stake of {} wei is too small: at least 160", e.seatStake),
        E::NameTooLong(e) => format!("the name has {} bytes; at most {} are allowed", e.bytes_, e.most),
        E::PromptTooLong(e) => format!("a prompt has {} bytes; at most {} are allowed", e.bytes_, e.most),
        E::SizeOutOfBounds(e) => format!(
            "the size {}x{} is out of bounds: this model takes sides of {} to {} pixels in steps of {}",
            e.width, e.height, e.least, e.most, e.step
        ),
        E::StepsOutOfBounds(e) => format!("{} steps are out of bounds: this model takes 1 to {}", e.steps, e.most),
        E::GuidanceOutOfBounds(e) => {
            format!("guidance of {} thousandths is out of bounds: this model takes at most {}", e.guidance, e.most)
        }
        E::MessagesOutOfBounds(e) => format!("there are {} messages; a text takes 1 to {}", e.messages, e.most),
        E::TokensOutOfBounds(e) => format!("{} tokens are out of bounds: this model writes 1 to {}", e.tokens, e.most),
        E::BeamsOutOfBounds(e) => format!("{} beams are out of bounds: this model follows 1 to {}", e.beams, e.most),
    }
}

fn stakes_words(error: &StakesError) -> String {
    use StakesError as E;
    match error {
        E::BadSeatAge(_) => "a seat age of zero is not allowed".to_owned(),
        E::NotSeatOwner(e) => {
            format!("{} does not own seat {} of model {}: use the owner's key", e.caller, e.seat, e.modelId)
        }
        E::NoSuchSeat(e) => no_such_seat(e.modelId, e.seat),
        E::WrongStake(e) => {
            format!("{} were sent and a seat costs {} exactly", ether(e.sent), ether(e.expected))
        }
        E::EmptyOperator(_) => "a seat needs an operator other than the zero address".to_owned(),
        E::AlreadyLeft(e) => format!("seat {} of model {} has left the pool already", e.seat, e.modelId),
        E::StillEnrolled(e) => format!("seat {} of model {} is in the pool: leave first", e.seat, e.modelId),
        E::Unbonding(e) => {
            format!(
                "the stake of seat {} of model {} is locked until the chain's time is {}",
                e.seat, e.modelId, e.until
            )
        }
        E::JobsOpen(e) => {
            format!("open jobs hold bonds of seat {} of model {}: wait until they are settled", e.seat, e.modelId)
        }
        E::NothingEarned(e) => format!("the seats of model {} have earned nothing that is not withdrawn", e.modelId),
        E::UrlTooLong(e) => format!("the address has {} bytes; at most {} are allowed", e.bytes_, e.most),
    }
}

fn randomness_words(error: &RandomnessError) -> String {
    let RandomnessError::WrongProof(e) = error;
    format!("that does not prove randomness {}, or it is too old to be checked", e.id)
}

fn wei(amount: U96) -> String {
    ether(U256::from(amount))
}

fn no_such_seat(model: B256, seat: u32) -> String {
    format!("model {model} has no seat {seat}")
}

/// A phase as an adjective.
#[must_use]
pub fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::None => "unknown",
        Phase::Requested => "waiting for its seed",
        Phase::Draw => "ready to be drawn",
        Phase::Expired => "expired without a draw",
        Phase::Commit => "in its commit window",
        Phase::Reveal => "in its reveal window",
        Phase::Appeal => "in its appeal window",
        Phase::Settle => "ready to be settled",
        Phase::Settled => "settled",
        _ => "in a phase that this version does not know",
    }
}

#[cfg(test)]
mod tests {
    use alloy::{primitives::address, sol_types::SolError};

    use super::*;
    use crate::chain::{IGenerationOracle, IModelRegistry, IRandomness, IVerifierStakes};

    fn words(error: &impl SolError) -> String {
        Revert::decode(&error.abi_encode().into()).to_string()
    }

    #[test]
    fn every_contract_is_understood() {
        let wrong_phase = IGenerationOracle::WrongPhase { expected: Phase::Settle };
        let unknown = IModelRegistry::UnknownModel { modelId: B256::repeat_byte(2) };
        let caller = address!("0x00000000000000000000000000000000000000aa");
        let not_owner = IVerifierStakes::NotSeatOwner { modelId: B256::repeat_byte(2), seat: 3, caller };
        let wrong_proof = IRandomness::WrongProof { id: 7 };

        assert_eq!(words(&wrong_phase), "this is only possible when the job is ready to be settled");
        assert!(words(&unknown).contains("oracle models list"));
        assert!(words(&not_owner).contains("use the owner's key"));
        assert!(words(&wrong_proof).contains("randomness 7"));
    }

    #[test]
    fn amounts_are_told_in_ether() {
        let share = U96::from(2_000_000_000_000_000_000_u64);
        let out_of_range = IGenerationOracle::ShareOutOfRange { share, least: U96::from(1), most: U96::from(2) };

        let words = words(&out_of_range);
        assert!(words.contains("of 2 ETH per seat") && words.contains("0.000000000000000001 ETH"), "{words}");
    }

    #[test]
    fn what_no_interface_knows_is_shown_as_it_came() {
        assert_eq!(Revert::decode(&Bytes::new()).to_string(), "the contract refused without a reason");
        assert!(Revert::decode(&Bytes::from_static(&[1, 2, 3, 4])).to_string().contains("0x01020304"));
        let reason = alloy::sol_types::Revert::from("no").abi_encode();
        assert!(Revert::decode(&reason.into()).to_string().contains("no"));
    }
}
