//! An order: what was typed, completed and checked against what the chain takes, with its price.

use alloy::{
    primitives::{B256, U256},
    signers::k256::elliptic_curve::rand_core::{OsRng, RngCore},
};
use oracle::{
    chain::{Chain, ChainError, IGenerationOracle::Terms, IModelRegistry::Kind, RegisteredModel},
    fees::{Offer, fee_of, foreseen},
    spec::Spec,
};

use super::Args;
use crate::commands::{
    terminal::printable,
    typed::{Ether, Seed},
    verifiers::all_seats,
};

/// Something that the model can make and the chain will take.
pub(super) struct Order {
    pub(super) model: B256,
    pub(super) spec: Spec,
    pub(super) terms: Terms,
    /// At the present base fee.
    pub(super) fee: Ether,
    /// At a base fee that is a quarter higher, as it can become until the request is mined.
    pub(super) most_fee: Ether,
}

impl Order {
    /// Looks up the model and checks everything that can be checked before money moves.
    pub(super) async fn resolve(args: &Args, chain: &Chain) -> eyre::Result<Self> {
        let model = chain.find_model(&args.model).await?;
        let is_text = model.model.kind == Kind::Text;
        eyre::ensure!(!is_text || args.seed.is_none(), "--seed is for pictures: nothing in a text is random");
        let seed = args.seed.map_or_else(random_seed, |Seed(seed)| seed);
        let spec = args.wish.spec(&model, &args.prompt, seed)?;
        let base_fee = chain.base_fee().await?;
        let offer = Offer::of(&model.model, &spec, base_fee);
        let terms = args.terms.resolve(&offer, &chain.windows, args.fixed_seed)?;
        check_pool(chain, &model, terms.committeeSize).await?;
        let fee = |base_fee| Ether(fee_of(&foreseen(&model.model, &terms, base_fee)));
        let (fee, most_fee) = (fee(base_fee), fee(base_fee.saturating_mul(5) / 4 + 1));
        Ok(Self { model: model.id, spec, terms, fee, most_fee })
    }

    /// What has to be sent with the request, if so much is at the oracle already.
    pub(super) fn missing(&self, balance: Ether) -> U256 {
        self.most_fee.0.saturating_sub(balance.0)
    }
}

fn random_seed() -> B256 {
    let mut seed = B256::ZERO;
    OsRng.fill_bytes(seed.as_mut_slice());
    seed
}

/// The contract refuses a pool that is too small or too young; this says how long to wait.
async fn check_pool(chain: &Chain, model: &RegisteredModel, committee: u8) -> eyre::Result<()> {
    let stakes = chain.stakes();
    let pool = stakes.poolOf(model.id).call().await.map_err(ChainError::from)?;
    if pool.old >= u32::from(committee) {
        return Ok(());
    }
    let seat_age = u64::from(stakes.seatAge().call().await.map_err(ChainError::from)?);
    let now = chain.now().await?.time;
    let seats = all_seats(chain, model.id).await?;
    let in_pool = seats.iter().filter(|(_, seat)| seat.leftAt.is_zero());
    // The pool counts in periods of one seat age: it is sure of a seat when the second one after its enrolment begins.
    let sure_from = |enrolled: u64| (enrolled / seat_age + 2) * seat_age;
    let mut drawable_from: Vec<_> = in_pool.map(|(_, seat)| sure_from(seat.enrolledAt.to())).collect();
    drawable_from.sort_unstable();

    let name = printable(&model.name);
    match drawable_from.get(usize::from(committee) - 1) {
        None => eyre::bail!(
            "the pool of {name} has {} seats, too few for a committee of {committee}: take a smaller one, or wait for verifiers to enrol",
            drawable_from.len()
        ),
        Some(&time) if time > now => eyre::bail!(
            "too many seats of {name} are too young to be drawn for a committee of {committee}: try again in {} s",
            time - now
        ),
        Some(_) => Ok(()),
    }
}
