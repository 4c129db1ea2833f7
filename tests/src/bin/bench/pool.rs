//! A pool of any size, written straight into the contract's storage: enrolling so many would take hours, and a draw reads
//! the seats that it deals and no other.

use std::ops::Range;

use alloy::{
    primitives::{B256, U256, keccak256},
    providers::{Provider as _, ext::AnvilApi as _},
    sol_types::SolValue,
};
use eyre::{OptionExt as _, Result, ensure};
use oracle::chain::Request;
use quorate_tests::devnet::Devnet;

/// Storage slots of the contract among which its pools are looked for.
const SLOTS: u64 = 32;
/// Words that a pool takes besides its seats, at most.
const POOL_WORDS: u64 = 4;
/// Words of a seat.
const SEAT_WORDS: u64 = 3;
/// Bits of each count in a pool's first word: its numbers, its active seats, its own number, and the seats that enrolled in
/// the last two periods.
const NUMBERS: u32 = 32;

/// Where a pool lies in storage.
struct Place {
    /// Its first word.
    pool: U256,
    /// The slot that its seats are mapped from.
    seats: U256,
}

/// Makes the pool of `model` believe that it has `seats` numbers; those beyond are empty until [`fill`].
pub(crate) async fn grow(devnet: &Devnet, model: B256, seats: u32) -> Result<()> {
    let place = find(devnet, model).await?;
    let word = read(devnet, place.pool).await?;
    let mask = (U256::from(1) << NUMBERS) - U256::from(1);
    write(devnet, place.pool, (word & !mask) | U256::from(seats)).await
}

/// Puts a copy of seat 0 wherever the draw of that request will look.
pub(crate) async fn fill(devnet: &Devnet, request: &Request, seed_block: u64) -> Result<()> {
    let (slots, model) = (request.job.poolSlots, request.job.modelId);
    let place = find(devnet, model).await?;
    let seed = devnet.chain.foretold_seed(seed_block, request.id, 1).await?;
    for number in deal(seed, slots, request.job.terms.committeeSize) {
        for offset in 0..SEAT_WORDS {
            let from = read(devnet, seat(&place, 0) + U256::from(offset)).await?;
            write(devnet, seat(&place, number) + U256::from(offset), from).await?;
        }
    }
    Ok(())
}

/// Makes seats older by so many seconds, and the pool forget that any of its seats is young.
pub(crate) async fn age(devnet: &Devnet, model: B256, seats: Range<u32>, seconds: u64) -> Result<()> {
    let place = find(devnet, model).await?;
    let young = ((U256::from(1) << (2 * NUMBERS)) - U256::from(1)) << (3 * NUMBERS);
    write(devnet, place.pool, read(devnet, place.pool).await? & !young).await?;
    for number in seats {
        // When it enrolled is what its first word begins with.
        let word = read(devnet, seat(&place, number)).await?;
        write(devnet, seat(&place, number), word - U256::from(seconds)).await?;
    }
    Ok(())
}

/// The numbers that a draw deals first, as `Draws.sol` deals them.
fn deal(seed: B256, cards: u32, count: u8) -> Vec<u32> {
    let mut deck: Vec<u32> = (0..cards).collect();
    for dealt in 0..usize::from(count) {
        let random = U256::from_be_bytes(keccak256((seed, U256::from(dealt)).abi_encode()).0);
        let place = dealt + (random % U256::from(deck.len() - dealt)).to::<usize>();
        deck.swap(dealt, place);
    }
    deck.truncate(count.into());
    deck
}

/// Looks for the pool by what it is known to hold, so that the layout of the contract need not be known here.
async fn find(devnet: &Devnet, model: B256) -> Result<Place> {
    let known = devnet.chain.stakes().poolOf(model).call().await?;
    let counts = U256::from(known.slots) | (U256::from(known.active) << NUMBERS);
    let mask = (U256::from(1) << (2 * NUMBERS)) - U256::from(1);
    for slot in 0..SLOTS {
        let pool = U256::from_be_bytes(keccak256((model, U256::from(slot)).abi_encode()).0);
        if read(devnet, pool).await? & mask != counts {
            continue;
        }
        for offset in 1..POOL_WORDS {
            let place = Place { pool, seats: pool + U256::from(offset) };
            if !read(devnet, seat(&place, 0)).await?.is_zero() {
                return Ok(place);
            }
        }
    }
    None.ok_or_eyre("the pools are not where they were in the contract's storage: look at VerifierStakes.sol")
}

fn seat(place: &Place, number: u32) -> U256 {
    U256::from_be_bytes(keccak256((U256::from(number), place.seats).abi_encode()).0)
}

async fn read(devnet: &Devnet, slot: U256) -> Result<U256> {
    Ok(devnet.chain.provider.get_storage_at(devnet.chain.deployment.generation_oracle, slot).await?)
}

async fn write(devnet: &Devnet, slot: U256, word: U256) -> Result<()> {
    let contract = devnet.chain.deployment.generation_oracle;
    let done = devnet.chain.provider.anvil_set_storage_at(contract, slot, B256::from(word)).await?;
    ensure!(done, "anvil did not write to storage");
    Ok(())
}
