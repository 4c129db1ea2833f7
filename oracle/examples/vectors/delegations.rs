//! Requests that are signed. Structs are given as `abi.encode` makes them, and as the text that a wallet is given.

use alloy::{
    primitives::{Address, B256, U256, aliases::U96},
    sol_types::SolValue,
};
use oracle::{
    chain::IGenerationOracle::Terms,
    delegation::{Delegation, Limits, domain},
    spec::{ImageSpec, Message, Prompt, Role, Solver, Spec, TextSpec},
};
use serde_json::{Value, json};

use super::{
    draw, hex,
    money::{terms, texts},
};

pub(super) fn delegations() -> Vec<Value> {
    let limits = |index: u64| Limits {
        most_fee: U256::from_be_bytes(draw("most fee", index).0),
        nonce: U256::from_be_bytes(draw("nonce", index).0),
        deadline: U256::from(4_000_000_000 + index),
    };
    let largest = Limits { most_fee: U256::MAX, nonce: U256::MAX, deadline: U256::MAX };
    let everything = Terms {
        committeeSize: u8::MAX,
        superMajority: true,
        fixedSeed: true,
        share: U96::MAX,
        commitWindow: u32::MAX,
        consumer: Address::repeat_byte(0xff),
        consumerGas: u32::MAX,
    };
    let (here, there) = (Address::from_word(draw("contract", 0)), Address::from_word(draw("contract", 1)));
    let whole = Spec::Image(ImageSpec {
        prompt: Prompt(b"caf\xe9 \xff\xfe\0".to_vec()),
        negative_prompt: Prompt(vec![b'a'; 33]),
        width: u32::MAX,
        height: u32::MAX,
        steps: u32::MAX,
        solver: Solver::UniPc,
        guidance: u32::MAX,
        seed: B256::repeat_byte(0xff),
    });
    let mute = Spec::Text(TextSpec { messages: vec![], max_tokens: 0, beams: 0, stops: vec![] });
    let assistant = Message { role: Role::Assistant, content: "Yes.".into() };
    let answered = TextSpec {
        messages: vec![Message::user("Is it?"), assistant],
        max_tokens: u32::MAX,
        beams: u8::MAX,
        stops: vec![],
    };

    let mut cases = vec![
        case("ordinary", 31_337, here, 0, &picture(0), terms(0), limits(0)),
        case("another chain", 1, here, 0, &picture(0), terms(0), limits(0)),
        case("another contract", 31_337, there, 0, &picture(0), terms(0), limits(0)),
        case("another requester", 31_337, here, 1, &picture(0), terms(0), limits(0)),
        case("another picture", 31_337, here, 0, &picture(1), terms(0), limits(0)),
        case("other terms", 31_337, here, 0, &picture(0), terms(1), limits(0)),
        case("other limits", 31_337, here, 0, &picture(0), terms(0), limits(1)),
        case("the largest integers", u64::from(u32::MAX), here, 2, &whole, everything, largest),
        case("nothing said", 31_337, here, 0, &mute, Terms::default(), limits(2)),
        case("answered already", 31_337, here, 0, &Spec::Text(answered), terms(2), limits(2)),
    ];
    for (text, index) in texts().into_iter().zip(3..) {
        cases.push(case("a text", 31_337, here, index, &Spec::Text(text), terms(index), limits(index)));
    }
    cases
}

fn picture(index: u64) -> Spec {
    Spec::Image(super::picture(index))
}

fn case(
    what: &str,
    chain_id: u64,
    contract: Address,
    requester: u64,
    spec: &Spec,
    terms: Terms,
    limits: Limits,
) -> Value {
    let (requester, model) = (Address::from_word(draw("requester", requester)), draw("model", requester));
    let (delegation, domain) = (Delegation::new(requester, model, spec, terms, limits), domain(chain_id, contract));
    let encoded = match &delegation {
        Delegation::Image(it) => it.abi_encode(),
        Delegation::Text(it) => it.abi_encode(),
    };
    json!({
        "what": what,
        "chainId": chain_id,
        "contract": contract,
        "isImage": matches!(delegation, Delegation::Image(_)),
        "requester": requester,
        "modelId": model,
        "delegated": hex(&encoded),
        "typedData": json!(delegation.typed_data(&domain)).to_string(),
        "hash": delegation.hash(&domain),
    })
}
