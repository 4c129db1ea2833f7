//! Jobs and what they cost. Structs are given as `abi.encode` makes them, amounts as decimal strings.

use alloy::{
    primitives::{
        Address, U256,
        aliases::{U40, U96},
    },
    sol_types::SolValue,
};
use oracle::{
    chain::{
        IGenerationOracle::{self, Job, Step, Terms},
        IModelRegistry::{Kind, Model},
    },
    digest::{NEVER, Zone},
    fees::{Offer, deliver_bounty, draw_bounty, escrow_of, fee_of, foreseen, rest_of, royalty_on, settle_bounty},
    job::id_of,
    round::{MOST_ROUNDS, size_of},
    safe_value::safe_value,
    spec::{ImageSpec, MAX_PROMPT_BYTES, Message, Prompt, Role, Solver, Spec, TextSpec},
    standing::Standing,
};
use serde_json::{Value, json};

use super::{draw, hex, number};

pub(super) fn jobs() -> Vec<Value> {
    let contract = Address::from_word(draw("contract", 0));
    let cases =
        [(31_337, contract, job(0)), (1, contract, job(0)), (1, Address::ZERO, job(0)), (31_337, contract, job(1))];
    let zero = (31_337, contract, Job::default());
    let case = |(chain_id, contract, job): (u64, Address, Job)| {
        json!({
            "chainId": chain_id,
            "contract": contract,
            "job": hex(&job.abi_encode()),
            "jobId": id_of(chain_id, contract, &job),
        })
    };
    cases.into_iter().chain([zero]).map(case).collect()
}

pub(super) fn fees() -> Vec<Value> {
    (0..8).flat_map(|index| (1..=MOST_ROUNDS).map(move |round| fee(index, round))).collect()
}

fn fee(index: u64, round: u8) -> Value {
    let job = job(index);
    // Some of the committee earned their shares, and some nothing.
    let supporters = number("supporters", index, u64::from(size_of(job.terms.committeeSize, round)) + 1);
    let earned = U256::from(job.terms.share) * U256::from(supporters);
    json!({
        "job": hex(&job.abi_encode()),
        "number": round,
        "size": size_of(job.terms.committeeSize, round),
        "escrow": escrow_of(&job, round).to_string(),
        "drawBounty": draw_bounty(&job, round).to_string(),
        "settleBounty": settle_bounty(&job, round).to_string(),
        "deliverBounty": deliver_bounty(&job).to_string(),
        "fee": fee_of(&job).to_string(),
        "safeValue": safe_value(&job).unwrap_or_default().to_string(),
        "earned": earned.to_string(),
        "royalty": royalty_on(&job, earned).to_string(),
        "rest": rest_of(&job, round, earned, true, supporters > 0).to_string(),
    })
}

/// Every way in which a seat can stand, for a share that nothing divides, and for the largest that a bond is 20 times of.
pub(super) fn standings() -> Vec<Value> {
    let mut ways = Vec::new();
    for step in [Step::Drawn, Step::Out, Step::Committed] {
        for (excused, any_revealed) in [(false, false), (false, true), (true, false), (true, true)] {
            let way = json!({ "step": step as u8, "excused": excused, "anyRevealed": any_revealed });
            ways.push((way, Standing::of_unrevealed(step, excused, any_revealed)));
        }
    }
    for seen in [None, Some(Zone::Accepted), Some(Zone::Grey), Some(Zone::Rejected)] {
        for fixed_seed in [false, true] {
            let zone = seen.map(|zone| zone as u8);
            let way = json!({ "step": Step::Revealed as u8, "accepted": seen.is_some(), "zone": zone, "fixedSeed": fixed_seed });
            ways.push((way, Standing::of_revealed(seen, fixed_seed)));
        }
    }
    let case = |share: u128| {
        let bond = 20 * share;
        ways.iter().map(move |(way, standing)| {
            let mut case = way.clone();
            case["share"] = share.to_string().into();
            case["bond"] = bond.to_string().into();
            case["standing"] = (*standing as u8).into();
            case["earned"] = standing.earned(share).to_string().into();
            case["lost"] = standing.lost(share, bond).to_string().into();
            case["slashed"] = standing.is_slashed().into();
            case
        })
    };
    [101, (1 << 96) / 20].into_iter().flat_map(case).collect()
}

pub(super) fn offers() -> Vec<Value> {
    let pictures = (0..8).map(|index| offer(index, &picture_model(index), &Spec::Image(picture(index))));
    let texts = texts().into_iter().zip(8..).map(|(text, index)| offer(index, &text_model(index), &Spec::Text(text)));
    pictures.chain(texts).collect()
}

/// `spec` is `abi.encode` of the kind's struct.
fn offer(index: u64, model: &Model, spec: &Spec) -> Value {
    let base_fee = number("base fee", index, 100_000_000_000);
    let offer = Offer::of(model, spec, base_fee);
    let terms = Terms { committeeSize: 5, share: U96::from(offer.least_share), ..Terms::default() };
    let encoded = match spec {
        Spec::Image(spec) => IGenerationOracle::ImageSpec::from(spec).abi_encode(),
        Spec::Text(spec) => IGenerationOracle::TextSpec::from(spec).abi_encode(),
    };
    json!({
        "model": hex(&model.abi_encode()),
        "kind": model.kind as u8,
        "spec": hex(&encoded),
        "specHash": spec.hash(),
        "baseFee": base_fee.to_string(),
        "bond": offer.bond.to_string(),
        "leastShare": offer.least_share.to_string(),
        "mostShare": offer.most_share.to_string(),
        "patience": offer.patience,
        "feeOfFive": fee_of(&foreseen(model, &terms, base_fee)).to_string(),
    })
}

// --------------------------------------------------------------------------------------------------- what they are made of

fn job(index: u64) -> Job {
    let of = |what: &str, bound: u64| number(what, index, bound);
    Job {
        requester: Address::from_word(draw("requester", index)),
        nonce: of("nonce", 1_000).into(),
        modelId: draw("model", index),
        specHash: draw("spec", index),
        specSeed: draw("spec seed", index),
        terms: terms(index),
        bond: U96::from(of("bond", u64::MAX)),
        accept: [10, 9, 8, 7].into(),
        reject: [20, 21, 22, 23].into(),
        modelOwner: Address::from_word(draw("owner", index)),
        royalty: of("royalty", 2_001) as u16,
        requestedAt: U40::from(of("time", 1 << 40)),
        poolSlots: of("slots", 250) as u32,
        poolSeats: of("seats", 100) as u32,
        appealWindow: of("appeal", 1 << 32) as u32,
        gasPrice: of("gas price", 1_000_000_000_000),
    }
}

pub(super) fn terms(index: u64) -> Terms {
    let of = |what: &str, bound: u64| number(what, index, bound);
    let called = index % 3 == 1;
    Terms {
        committeeSize: 3 + 2 * of("committee", 15) as u8,
        superMajority: index % 2 == 1,
        fixedSeed: index % 4 == 3,
        share: U96::from(of("share", u64::MAX)),
        commitWindow: of("window", 1 << 32) as u32,
        consumer: if called { Address::from_word(draw("consumer", index)) } else { Address::ZERO },
        consumerGas: if called { of("gas", 500_001) as u32 } else { 0 },
    }
}

fn picture_model(index: u64) -> Model {
    let of = |what: &str, bound: u64| number(what, index, bound);
    Model {
        manifestHash: draw("manifest", index),
        evidence: draw("evidence", index),
        owner: Address::from_word(draw("owner", index)),
        seatStake: U96::from(160 + of("stake", u64::MAX - 160)),
        kind: Kind::Image,
        accept: [10; 4].into(),
        reject: [20; 4].into(),
        price: of("price", u64::MAX),
        time: of("time", 1 << 32) as u32,
        royalty: of("royalty", 2_001) as u16,
        minSide: 1,
        maxSide: 4_096,
        sideStep: 1,
        maxSteps: 1_000,
        maxGuidance: u16::MAX,
        maxTokens: 0,
        maxBeams: 0,
    }
}

fn text_model(index: u64) -> Model {
    Model {
        kind: Kind::Text,
        accept: [0; 4].into(),
        reject: NEVER,
        minSide: 0,
        maxSide: 0,
        sideStep: 0,
        maxSteps: 0,
        maxGuidance: 0,
        maxTokens: 32_768,
        maxBeams: 16,
        ..picture_model(index)
    }
}

pub(super) fn texts() -> Vec<TextSpec> {
    let said = |role, content: &[u8]| Message { role, content: Prompt(content.to_vec()) };
    let question = TextSpec {
        messages: vec![
            said(Role::System, b"You are terse."),
            said(Role::User, "Warum ist der Himmel blau? \u{1f30d}".as_bytes()),
        ],
        max_tokens: 64,
        beams: 1,
        stops: vec![],
    };
    let talk = (0..64).map(|turn| said([Role::User, Role::Assistant][turn % 2], b"a\0")).collect();
    let stops = vec!["\n\n".into(), Prompt::default(), Prompt(vec![0xff; 33])];
    vec![
        TextSpec { stops, beams: 16, ..question.clone() },
        TextSpec { messages: talk, max_tokens: 32_768, ..question.clone() },
        TextSpec { messages: vec![said(Role::User, &[b'a'; MAX_PROMPT_BYTES])], max_tokens: 1, ..question.clone() },
        TextSpec { messages: vec![said(Role::User, b"")], ..question.clone() },
        question,
    ]
}

fn picture(index: u64) -> ImageSpec {
    let side = |what| 1 + number(what, index, 4_096) as u32;
    ImageSpec {
        prompt: Prompt::default(),
        negative_prompt: Prompt::default(),
        width: side("width"),
        height: side("height"),
        steps: 1 + number("steps", index, 1_000) as u32,
        solver: Solver::Ddim,
        guidance: 0,
        seed: draw("spec seed", index),
    }
}
