//! Rounds that drand's quicknet published, where contracts/test/DrandFixtures.t.sol says. The contract is given what is made
//! of them here.

use alloy::primitives::hex;
use oracle::drand::Beacon;
use serde_json::{Value, json};

/// At /CHAIN/info of drand's HTTP API; the key as EIP-2537 writes points.
const GENESIS: u64 = 1_692_803_367;
const PERIOD: u32 = 3;
const KEY: [u8; 256] = hex!(
    "000000000000000000000000000000000d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    "0000000000000000000000000000000003cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "000000000000000000000000000000000e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273"
    "0000000000000000000000000000000001a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b"
);

const ROUNDS: [(u64, &str); 5] = [
    (42, "95a9f9f5b231b7714de1553105d8ffdf3dcda24cfdb1e689319bccf79a9c8ce430a91b811fbfaf763900bc998b5d686a"),
    (123, "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92"),
    (1_000, "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"),
    (12_040_883, "929906c959032ab363c9f26570d215d66f5c06cb0c44fe508c12bb5839f04ec895bb6868e5b9ff13ab289bdb5266b394"),
    (32_281_667, "b0f5ae301358ff87a9d3dd539ed4a07c0148b1ab4f7b61a8ca43c7e9ca7ca9553e4faae9188deb30b2cd1a7f447e3e5b"),
];

pub(super) fn rounds() -> Vec<Value> {
    let beacon = Beacon::new(GENESIS, PERIOD, &KEY);
    let case = |(round, signature)| {
        let signed = beacon?.check(round, &hex::decode(signature).ok()?)?;
        Some(json!({
            "round": round,
            "time": beacon?.time_of(round),
            "proof": signed.proof(),
            "randomness": signed.randomness(),
        }))
    };
    ROUNDS.into_iter().filter_map(case).collect()
}
