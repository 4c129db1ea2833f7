//! Writes `tests/vectors`: what the Rust and the Solidity side of every twin must both answer. `forge test` and
//! `cargo test` read the files; the latter also checks that they are what this program writes.
//!
//!     cargo run --release -p quorate-oracle --example vectors

mod delegations;
mod drand;
mod money;

use std::{io, path::PathBuf};

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};
use oracle::{
    commitment::{Opening, commitment_of},
    digest::{Digest, ToleranceProfile, Zone},
    round::{MOST_ROUNDS, Member, draw_seed, size_of},
    spec::{ImageSpec, MAX_PROMPT_BYTES, Prompt, Solver, noise_seed},
    tally::{Verdict, quorum, same, tally},
};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    for (name, content) in files() {
        let path = folder().join(name);
        std::fs::write(&path, content)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

fn files() -> [(&'static str, String); 15] {
    [
        ("spec.json", specs()),
        ("noise.json", noises()),
        ("commitment.json", commitments()),
        ("digest.json", digests()),
        ("tally.json", tallies()),
        ("same.json", sameness()),
        ("member.json", members()),
        ("draw.json", draw_seeds()),
        ("size.json", sizes()),
        ("job.json", money::jobs()),
        ("fees.json", money::fees()),
        ("offer.json", money::offers()),
        ("standing.json", money::standings()),
        ("drand.json", drand::rounds()),
        ("delegation.json", delegations::delegations()),
    ]
    .map(|(name, cases): (_, Vec<Value>)| (name, format!("{:#}\n", json!({ "cases": cases }))))
}

// ------------------------------------------------------------------------------------------------------------- the cases

fn specs() -> Vec<Value> {
    let ordinary = picture(0);
    let prompt = |bytes: &[u8]| ImageSpec { prompt: Prompt(bytes.to_vec()), ..ordinary.clone() };
    let cases = [
        ("ordinary", ordinary.clone()),
        ("both prompts empty", ImageSpec { negative_prompt: Prompt::default(), ..prompt(b"") }),
        ("a prompt that ends with its ABI word", prompt(&[b'a'; 32])),
        ("a prompt of one byte more", prompt(&[b'a'; 33])),
        ("the zero byte is not padding", prompt(b"a\0")),
        ("not UTF-8", prompt(b"caf\xe9 \xff\xfe")),
        ("outside ASCII", prompt("ein Wal \u{1f40b} im Fluß".as_bytes())),
        (
            "the longest prompts",
            ImageSpec {
                negative_prompt: Prompt(noise_bytes(MAX_PROMPT_BYTES)),
                ..prompt(&noise_bytes(MAX_PROMPT_BYTES))
            },
        ),
        ("another solver", ImageSpec { solver: Solver::UniPc, ..ordinary.clone() }),
        ("not square", ImageSpec { width: 512, height: 768, ..ordinary.clone() }),
        (
            "the largest integers",
            ImageSpec {
                width: u32::MAX,
                height: u32::MAX,
                steps: u32::MAX,
                guidance: u32::MAX,
                seed: B256::repeat_byte(0xff),
                ..ordinary.clone()
            },
        ),
        (
            "the smallest integers",
            ImageSpec { width: 0, height: 0, steps: 0, guidance: 0, seed: B256::ZERO, ..ordinary },
        ),
    ];
    cases.iter().map(|(what, spec)| spec_case(what, spec)).collect()
}

/// By the number of its seed.
fn picture(index: u64) -> ImageSpec {
    ImageSpec {
        prompt: "a red apple on a table".into(),
        negative_prompt: "blurry".into(),
        width: 64,
        height: 64,
        steps: 20,
        solver: Solver::Ddim,
        guidance: 7_500,
        seed: draw("spec seed", index),
    }
}

fn spec_case(what: &str, spec: &ImageSpec) -> Value {
    json!({
        "what": what,
        "prompt": hex(&spec.prompt.0),
        "negativePrompt": hex(&spec.negative_prompt.0),
        "width": spec.width,
        "height": spec.height,
        "steps": spec.steps,
        "solver": spec.solver as u8,
        "guidance": spec.guidance,
        "seed": spec.seed,
        "hash": spec.hash(),
    })
}

fn noises() -> Vec<Value> {
    let seeds =
        [(B256::ZERO, B256::ZERO), (B256::ZERO, B256::with_last_byte(1)), (B256::with_last_byte(1), B256::ZERO)];
    let random = (0..5).map(|index| (draw("spec seed", index), draw("draw seed", index)));
    let case = |(spec, seed), fixed| json!({ "specSeed": spec, "drawSeed": seed, "fixedSeed": fixed, "noiseSeed": noise_seed(spec, seed, fixed) });
    seeds.into_iter().chain(random).flat_map(|seeds| [case(seeds, false), case(seeds, true)]).collect()
}

fn commitments() -> Vec<Value> {
    let opening = |index| Opening {
        digest: draw("digest", index).into(),
        content_hash: draw("content", index),
        salt: draw("salt", index),
    };
    let nothing = Opening { digest: B256::ZERO.into(), content_hash: B256::ZERO, salt: B256::ZERO };
    let (here, job) = (Address::from_word(draw("contract", 0)), draw("job", 0));
    let cases = [
        ("ordinary", 31_337, here, job, 1, 0, opening(0)),
        ("another chain", 1, here, job, 1, 0, opening(0)),
        ("another contract", 31_337, Address::from_word(draw("contract", 1)), job, 1, 0, opening(0)),
        ("another job", 31_337, here, draw("job", 1), 1, 0, opening(0)),
        ("another round", 31_337, here, job, 2, 0, opening(0)),
        ("another seat", 31_337, here, job, 1, 1, opening(0)),
        ("another digest", 31_337, here, job, 1, 0, Opening { digest: opening(1).digest, ..opening(0) }),
        ("another content", 31_337, here, job, 1, 0, Opening { content_hash: opening(1).content_hash, ..opening(0) }),
        ("another salt", 31_337, here, job, 1, 0, Opening { salt: opening(1).salt, ..opening(0) }),
        ("the largest integers", u64::from(u32::MAX), here, job, u8::MAX, u32::MAX, opening(2)),
        ("nothing in it", 1, here, B256::ZERO, 0, 0, nothing),
    ];
    let case = |(what, chain_id, contract, job, number, seat, opening): (&str, _, _, _, u8, _, Opening)| {
        json!({
            "what": what,
            "chainId": chain_id,
            "contract": contract,
            "jobId": job,
            "number": number,
            "seat": seat,
            "digest": opening.digest,
            "contentHash": opening.content_hash,
            "salt": opening.salt,
            "commitment": commitment_of(chain_id, contract, job, number, seat, &opening),
        })
    };
    cases.map(case).to_vec()
}

fn digests() -> Vec<Value> {
    let base = Digest::from(draw("digest", 0));
    let moved = |bits: [u32; 4]| moved(base, bits, 0);
    let mut pairs = vec![
        ("the same", base, base),
        ("as far as it goes", Digest([0; 32]), Digest([0xff; 32])),
        ("the top bit of each lane", Digest([0; 32]), Digest::from_lanes([1 << 63; 4])),
        ("the bottom bit of each lane", Digest([0; 32]), Digest::from_lanes([1; 4])),
        ("all of the colour hash", Digest([0; 32]), Digest::from_lanes([0, 0, 0, (1 << 42) - 1])),
        ("one whole lane", Digest([0; 32]), Digest::from_lanes([0, u64::MAX, 0, 0])),
        ("at the accept distance", base, moved([10; 4])),
        ("one bit beyond it", base, moved([10, 10, 11, 10])),
        ("at the reject distance", base, moved([20; 4])),
        ("one bit beyond that", base, moved([20, 20, 20, 21])),
        ("one lane far away", base, moved([21, 0, 0, 0])),
    ];
    pairs.extend((0..12).map(|index| ("anything", draw("digest", index).into(), draw("other digest", index).into())));
    pairs.into_iter().flat_map(|(what, a, b)| profiles().map(|profile| digest_case(what, &profile, a, b))).collect()
}

fn digest_case(what: &str, profile: &ToleranceProfile, a: Digest, b: Digest) -> Value {
    json!({
        "what": what,
        "accept": profile.accept,
        "reject": profile.reject,
        "a": a,
        "b": b,
        "distances": a.distances(&b),
        "zone": profile.zone(&a, &b) as u8,
    })
}

fn tallies() -> Vec<Value> {
    let wide = profiles()[0];
    let base = Digest::from(draw("winner", 0));
    let near = |bits, from| moved(base, [bits; 4], from);
    let zero = Digest([0; 32]);
    let one = Digest::from_lanes([0, 0, 0, 1]);
    let mut cases = vec![
        tally_case("nobody revealed", &wide, 3, &[]),
        tally_case("one revealed, of three", &wide, 3, &[base]),
        tally_case("two of three, and alike", &wide, 3, &[base, base]),
        tally_case("two of three, and not alike", &wide, 3, &[base, near(40, 0)]),
        tally_case("two of five are no quorum", &wide, 5, &[base, base]),
        tally_case("three the same", &wide, 3, &[base, base, base]),
        tally_case("one rejected", &wide, 3, &[base, near(30, 0), near(2, 8)]),
        tally_case("one grey, at its border to accepted", &wide, 3, &[base, near(11, 0), base]),
        tally_case("one grey, at its border to rejected", &wide, 3, &[base, near(20, 0), base]),
        tally_case("one rejected, by one bit of one lane", &wide, 3, &[base, moved(base, [0, 0, 21, 0], 0), base]),
        tally_case("a chain: only the middle one accepts both", &wide, 3, &[near(0, 0), near(16, 0), near(8, 0)]),
        tally_case("equal support: the smaller total distance", &wide, 5, &[near(0, 0), near(2, 0), near(6, 0)]),
        tally_case("equal support and distance: the smaller digest", &wide, 3, &[one, zero]),
        tally_case("two camps without a quorum", &wide, 5, &[base, base, near(40, 0), near(40, 0)]),
        tally_case("a quorum against a camp", &wide, 5, &[near(40, 0), base, near(40, 0), base, base]),
    ];
    for (index, size) in [3, 5, 7, 9, 15, 31, 3, 5, 7, 9, 15, 31].into_iter().enumerate() {
        let profile = profiles()[index % profiles().len()];
        cases.push(tally_case("a drifting crowd", &profile, size, &crowd(index as u64, size)));
    }
    for (size, behind) in [(5, 3), (5, 4), (7, 4), (7, 5), (15, 10), (15, 11), (31, 20), (31, 21)] {
        let digests: Vec<_> = (0..size).map(|index| if index < behind { base } else { near(40, 0) }).collect();
        cases.push(super_case("a camp against a super-majority", &wide, size, &digests));
    }
    cases
}

fn tally_case(what: &str, profile: &ToleranceProfile, committee_size: u8, digests: &[Digest]) -> Value {
    decided(what, profile, committee_size, false, digests)
}

fn super_case(what: &str, profile: &ToleranceProfile, committee_size: u8, digests: &[Digest]) -> Value {
    decided(what, profile, committee_size, true, digests)
}

fn decided(
    what: &str,
    profile: &ToleranceProfile,
    committee_size: u8,
    by_two_thirds: bool,
    digests: &[Digest],
) -> Value {
    let quorum = quorum(committee_size, by_two_thirds);
    let (accepted, winner, supporters, zones) = match tally(profile, quorum, digests) {
        Verdict::Accepted { winner, supporters, zones } => (true, winner, supporters, zones),
        Verdict::Unresolved => (false, B256::ZERO.into(), Vec::new(), Vec::new()),
    };
    json!({
        "what": what,
        "accept": profile.accept,
        "reject": profile.reject,
        "committeeSize": committee_size,
        "superMajority": by_two_thirds,
        "quorum": quorum,
        "digests": digests,
        "accepted": accepted,
        "winner": winner,
        "supporters": supporters,
        "zones": zones.iter().map(|&zone: &Zone| zone as u8).collect::<Vec<_>>(),
    })
}

fn sameness() -> Vec<Value> {
    let wide = profiles()[0];
    let base = Digest::from(draw("winner", 0));
    let near = |bits| Some(moved(base, bits, 0));
    let cases = [
        ("no winner in either", None, None),
        ("a winner and none", Some(base), None),
        ("none and a winner", None, Some(base)),
        ("the same winner", Some(base), Some(base)),
        ("winners that accept each other", Some(base), near([10; 4])),
        ("winners that do not, by one bit", Some(base), near([10, 10, 11, 10])),
        ("winners that reject each other", Some(base), near([21; 4])),
    ];
    let case = |(what, a, b): (&str, Option<Digest>, Option<Digest>)| {
        json!({
            "what": what,
            "accept": wide.accept,
            "aAccepted": a.is_some(),
            "a": a.unwrap_or(Digest([0; 32])),
            "bAccepted": b.is_some(),
            "b": b.unwrap_or(Digest([0; 32])),
            "same": same(&wide, a, b),
        })
    };
    cases.map(case).to_vec()
}

fn members() -> Vec<Value> {
    let operator = Address::from_word(draw("operator", 0));
    let cases = [
        Member { operator, pool: 1, seat: 0, place: 0 },
        Member { operator, pool: 1, seat: 99_999, place: 7 },
        Member { operator: Address::ZERO, pool: 2, seat: 5, place: 8 },
        Member { operator: Address::repeat_byte(0xff), pool: u32::MAX, seat: u32::MAX, place: u8::MAX },
    ];
    let case = |member: Member| {
        let word = B256::from(member);
        let Member { operator, pool, seat, place } = member;
        let slot = B256::from(member.slot());
        json!({ "operator": operator, "pool": pool, "seat": seat, "place": place, "member": word, "slot": slot })
    };
    cases.map(case).to_vec()
}

fn draw_seeds() -> Vec<Value> {
    let case = |number: u8| {
        let (randomness, job) = (draw("randomness", number.into()), draw("job", 0));
        json!({ "randomness": randomness, "jobId": job, "number": number, "drawSeed": draw_seed(randomness, job, number) })
    };
    [1, 2, 3, 4, 255].map(case).to_vec()
}

fn sizes() -> Vec<Value> {
    let rounds = |first: u8| (1..=MOST_ROUNDS).map(move |number| (first, number));
    let case = |(first, number): (u8, u8)| {
        let size = size_of(first, number);
        let (quorum, by_two_thirds) = (quorum(size, false), quorum(size, true));
        json!({ "first": first, "number": number, "size": size, "quorum": quorum, "superQuorum": by_two_thirds })
    };
    (3..=31).step_by(2).flat_map(rounds).map(case).collect()
}

// --------------------------------------------------------------------------------------------------- what they are made of

fn profiles() -> [ToleranceProfile; 3] {
    let profile = |accept, reject| ToleranceProfile { accept, reject, evidence: B256::ZERO };
    [profile([10; 4], [20; 4]), profile([5, 3, 8, 4], [12, 6, 24, 8]), profile([0; 4], [0, 24, 0, 24])]
}

/// Most of the committee revealed: drifted by some bits, and every third one by many.
fn crowd(index: u64, size: u8) -> Vec<Digest> {
    let base = Digest::from(draw("crowd", index));
    let member = |member: u64| {
        let random = draw("member", index << 8 | member).0;
        let most = if member % 3 == 2 { 40 } else { 7 };
        let bits = [0, 1, 2, 3].map(|lane: usize| u32::from(random[lane]) % most);
        moved(base, bits, u32::from(random[4]) % 20)
    };
    (0..u64::from(size) - index % 2).map(member).collect()
}

/// `digest` with so many bits of each lane turned over, from bit `from` upwards.
fn moved(digest: Digest, bits: [u32; 4], from: u32) -> Digest {
    let mask = bits.map(|count| ((1_u64 << count) - 1) << from);
    let lanes = digest.lanes();
    Digest::from_lanes([0, 1, 2, 3].map(|lane: usize| lanes[lane] ^ mask[lane]))
}

fn draw(what: &str, index: u64) -> B256 {
    keccak256((what, index).abi_encode_params())
}

fn noise_bytes(count: usize) -> Vec<u8> {
    (0..).flat_map(|index| draw("bytes", index).0).take(count).collect()
}

/// Below `bound`.
fn number(what: &str, index: u64, bound: u64) -> u64 {
    (U256::from_be_bytes(draw(what, index).0) % U256::from(bound)).to()
}

fn hex(bytes: &[u8]) -> String {
    alloy::hex::encode_prefixed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_what_the_code_says() {
        for (name, content) in files() {
            let path = folder().join(name);
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            let parse = |json: &str| serde_json::from_str::<Value>(json).ok();
            assert!(
                parse(&committed) == parse(&content),
                "{} is out of date; run: cargo run --release -p quorate-oracle --example vectors",
                path.display(),
            );
        }
    }

    #[test]
    fn every_way_to_end_is_among_the_tallies() {
        let cases = tallies();
        assert!(cases.iter().any(|case| case["accepted"] == false));
        for zone in [Zone::Accepted, Zone::Grey, Zone::Rejected] {
            let seen = |case: &Value| case["zones"].as_array().is_some_and(|zones| zones.contains(&json!(zone as u8)));
            assert!(cases.iter().any(seen), "no {zone:?}");
        }
    }
}
