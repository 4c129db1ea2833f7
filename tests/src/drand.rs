//! A drand network of one's own, whose every round is to be had at once, and its relays.

use std::net::SocketAddr;

use alloy::primitives::hex;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use blst::min_sig::SecretKey;
use eyre::{Result, eyre};
use oracle::drand::{DOMAIN, message};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// When round 1 was, in seconds since the epoch.
const GENESIS: u64 = 1_700_000_000;
/// Seconds.
const PERIOD: u32 = 3;

/// Who signs the rounds.
#[derive(Debug, Clone)]
pub struct Network {
    secret: SecretKey,
}

/// What a relay hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    /// The round's signature.
    Honest,
    /// The next round's.
    Lying,
}

/// A running relay; gone when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    _serving: AbortOnDropHandle<std::io::Result<()>>,
}

impl Network {
    /// With a key made of this byte.
    pub fn new(key: u8) -> Result<Self> {
        let secret = SecretKey::key_gen(&[key; 32], &[]).map_err(|error| eyre!("no key: {error:?}"))?;
        Ok(Self { secret })
    }

    /// What `scripts/Deploy.s.sol` deploys with.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("QUORATE_RANDOMNESS", "drand".to_owned()),
            ("QUORATE_DRAND_GENESIS", GENESIS.to_string()),
            ("QUORATE_DRAND_PERIOD", PERIOD.to_string()),
            ("QUORATE_DRAND_KEY", hex::encode_prefixed(self.key())),
        ]
    }

    /// As EIP-2537 writes points of G2: the real part of a coordinate before the imaginary one, each in 64 bytes.
    fn key(&self) -> Vec<u8> {
        let key = self.secret.sk_to_pk().serialize();
        let padded = |part: usize| [&[0; 16], &key[48 * part..48 * (part + 1)]].concat();
        [1, 0, 3, 2].map(padded).concat()
    }

    /// Starts a relay on a free port.
    pub async fn relay(&self, honesty: Honesty) -> Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let rounds = get(answer).with_state((self.clone(), honesty));
        let serving = axum::serve(listener, Router::new().route("/chain/public/{round}", rounds));
        let _serving = AbortOnDropHandle::new(tokio::spawn(async move { serving.await }));
        Ok(Relay { address, _serving })
    }

    fn sign(&self, round: u64) -> [u8; 48] {
        self.secret.sign(&message(round), DOMAIN, &[]).compress()
    }
}

impl Relay {
    /// As `--drand-url` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/chain", self.address)
    }
}

/// As the HTTP API has it.
async fn answer(State((network, honesty)): State<(Network, Honesty)>, Path(round): Path<u64>) -> Json<Value> {
    let signed = match honesty {
        Honesty::Honest => round,
        Honesty::Lying => round + 1,
    };
    Json(json!({ "round": round, "signature": hex::encode(network.sign(signed)) }))
}
