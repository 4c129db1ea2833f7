//! An order: what is asked for, as typed, completed and checked against what the chain takes, with its price.

use alloy::{
    primitives::{B256, U256},
    signers::k256::elliptic_curve::rand_core::{OsRng, RngCore},
};
use oracle::{
    chain::{Chain, ChainError, IGenerationOracle::Terms, IModelRegistry::Kind, ModelRef, RegisteredModel},
    fees::{Offer, fee_of, foreseen},
    spec::Spec,
};

use super::{
    terminal::{Terminal, printable},
    terms::TermsArgs,
    typed::{Ether, Seed},
    verifiers::all_seats,
    wish::WishArgs,
};

/// What is asked for, as typed.
#[derive(clap::Args)]
pub(crate) struct OrderArgs {
    /// What to show, or what to answer; at most 4096 bytes
    prompt: String,
    /// Model: its id, the beginning of its id, or its name
    #[arg(long, value_name = "MODEL")]
    model: ModelRef,
    #[command(flatten)]
    wish: WishArgs,
    #[command(flatten)]
    terms: TermsArgs,
    /// For pictures. Mixed with the draw into the noise: 0x and 64 hex digits, or a number [default: random]
    #[arg(long)]
    seed: Option<Seed>,
    /// For pictures. Make the noise from --seed alone, so that the picture is known beforehand; not safe, see below
    #[arg(long, requires = "seed")]
    fixed_seed: bool,
}

/// Why nobody should want one, for the help of whoever can ask for one.
pub(crate) const ABOUT_FIXED_SEEDS: &str = "\
With --fixed-seed the requester can have searched for a job on which honest machines differ. Dissent then costs a \
verifier its share and never its bond, so a fraud has nothing to lose: rely on such a job for nothing of value.";

/// Something that the model can make and the chain will take.
pub(crate) struct Order {
    pub(crate) model: B256,
    pub(crate) spec: Spec,
    pub(crate) terms: Terms,
    /// At the present base fee.
    pub(crate) fee: Ether,
    /// At a base fee that is a quarter higher, as it can become until the request is mined.
    pub(crate) most_fee: Ether,
}

impl Order {
    /// Looks up the model and checks everything that can be checked before money moves.
    pub(crate) async fn resolve(args: &OrderArgs, chain: &Chain, terminal: &Terminal) -> eyre::Result<Self> {
        let model = chain.find_model(&args.model).await?;
        let is_text = model.model.kind == Kind::Text;
        eyre::ensure!(!is_text || args.seed.is_none(), "--seed is for pictures: nothing in a text is random");
        let seed = args.seed.map_or_else(random_seed, |Seed(seed)| seed);
        let spec = args.wish.spec(&model, &args.prompt, seed)?;
        let base_fee = chain.base_fee().await?;
        let offer = Offer::of(&model.model, &spec, base_fee);
        let terms = args.terms.resolve(&offer, &chain.windows, args.fixed_seed)?;
        check_pool(chain, &model, terms.committeeSize).await?;
        if terms.fixedSeed {
            terminal.note(
                "warning: with a fixed seed dissent costs a verifier only its share, and whoever requests could have \
                 searched for a job that splits honest machines: the safe value of this job is zero",
            );
        }
        let fee = |base_fee| Ether(fee_of(&foreseen(&model.model, &terms, base_fee)));
        let (fee, most_fee) = (fee(base_fee), fee(base_fee.saturating_mul(5) / 4 + 1));
        Ok(Self { model: model.id, spec, terms, fee, most_fee })
    }

    /// What has to be sent with the request, if so much is at the oracle already.
    pub(crate) fn missing(&self, balance: Ether) -> U256 {
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
