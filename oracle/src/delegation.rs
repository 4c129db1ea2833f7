//! Delegation: a request that its requester signs (EIP-712) and anyone may send, and the file that goes from one to the
//! other.

use std::{fs, io, path::Path};

use alloy::{
    primitives::{Address, B256, Bytes, ChainId, U256},
    sol,
    sol_types::{Eip712Domain, SolCall, SolStruct, SolValue},
};
use alloy_dyn_abi::{Resolver, TypedData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    chain::{
        Deployment,
        IGenerationOracle::{
            DelegatedImage, DelegatedText, ImageSpec, Message, Terms, TextSpec, requestImageForCall, requestTextForCall,
        },
    },
    spec::Spec,
};

/// What the requester signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delegation {
    /// A picture.
    Image(DelegatedImage),
    /// A text.
    Text(DelegatedText),
}

/// What bounds a signature, so that it is not a blank cheque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In wei; the fee follows the base fee.
    pub most_fee: U256,
    /// Any number that the requester has not signed with before.
    pub nonce: U256,
    /// In seconds since the epoch.
    pub deadline: U256,
}

/// A delegation as wallets are shown it (`eth_signTypedData_v4`), and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegationFile {
    /// EIP-712.
    pub typed_data: TypedData,
    /// None as long as a wallet has yet to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Bytes>,
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum DelegationError {
    /// It is not there, or not to be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is no JSON of that shape.
    #[error("it is not a request that `oracle sign` has written: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Its types are not the contract's, or its values are not of its types.
    #[error("its typed data is not a request as the contract knows it{0}; sign it anew with `oracle sign`")]
    OtherTypes(String),
    /// It was signed for elsewhere.
    #[error("it is for chain {signed}, and the node is on chain {here}: name the right node with --rpc-url")]
    OtherChain {
        /// As signed; none if the signature is for every chain.
        signed: U256,
        /// What the RPC says.
        here: ChainId,
    },
    /// It was signed for another deployment.
    #[error("it is for the contract {signed}, and this deployment's is {here}: name the right file with --deployment")]
    OtherContract {
        /// As signed.
        signed: Address,
        /// `GenerationOracle`.
        here: Address,
    },
    /// A wallet has yet to sign it.
    #[error(
        "it is not signed: have its typedData signed by {0} (eth_signTypedData_v4), and give that with --signature"
    )]
    NotSigned(Address),
}

sol! {
    /// The type of [`domain`], which wallets want to be told.
    struct EIP712Domain {
        string name;
        string version;
        uint256 chainId;
        address verifyingContract;
    }
}

/// For whom it is signed: the contract of one chain.
#[must_use]
pub fn domain(chain_id: ChainId, oracle: Address) -> Eip712Domain {
    Eip712Domain::new(Some("Quorate".into()), Some("1".into()), Some(U256::from(chain_id)), Some(oracle), None)
}

impl Delegation {
    /// A request of `requester`, who pays for it out of its balance at the oracle.
    #[must_use]
    pub fn new(requester: Address, model: B256, spec: &Spec, terms: Terms, limits: Limits) -> Self {
        let (model_id, Limits { most_fee, nonce, deadline }) = (model, limits);
        match spec {
            Spec::Image(spec) => Self::Image(DelegatedImage {
                requester,
                modelId: model_id,
                spec: spec.into(),
                terms,
                mostFee: most_fee,
                nonce,
                deadline,
            }),
            Spec::Text(spec) => Self::Text(DelegatedText {
                requester,
                modelId: model_id,
                spec: spec.into(),
                terms,
                mostFee: most_fee,
                nonce,
                deadline,
            }),
        }
    }

    /// What is signed (EIP-712). Twin of `Delegations.sol`; `tests/vectors/delegation.json` holds both to it.
    #[must_use]
    pub fn hash(&self, domain: &Eip712Domain) -> B256 {
        match self {
            Self::Image(it) => it.eip712_signing_hash(domain),
            Self::Text(it) => it.eip712_signing_hash(domain),
        }
    }

    /// The same as wallets are given it.
    #[must_use]
    pub fn typed_data(&self, domain: &Eip712Domain) -> TypedData {
        let (mut resolver, name, message) = match self {
            Self::Image(it) => (Resolver::from_struct::<DelegatedImage>(), DelegatedImage::NAME, image_message(it)),
            Self::Text(it) => (Resolver::from_struct::<DelegatedText>(), DelegatedText::NAME, text_message(it)),
        };
        resolver.ingest_sol_struct::<EIP712Domain>();
        TypedData { domain: domain.clone(), resolver, primary_type: name.to_owned(), message }
    }

    /// Who asks and pays.
    #[must_use]
    pub fn requester(&self) -> Address {
        match self {
            Self::Image(it) => it.requester,
            Self::Text(it) => it.requester,
        }
    }

    /// The call that pays for it.
    #[must_use]
    pub fn calldata(&self, signature: Bytes) -> Bytes {
        match self {
            Self::Image(it) => requestImageForCall { delegated: it.clone(), signature }.abi_encode().into(),
            Self::Text(it) => requestTextForCall { delegated: it.clone(), signature }.abi_encode().into(),
        }
    }
}

impl DelegationFile {
    /// Reads one; whether it can be sent is another question.
    pub fn read(path: &Path) -> Result<Self, DelegationError> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// What was signed, if it was for this deployment.
    pub fn delegation(&self, deployment: &Deployment) -> Result<Delegation, DelegationError> {
        let delegation = self.decode()?;
        let signed = &self.typed_data.domain;
        let (chain, contract) = (signed.chain_id.unwrap_or_default(), signed.verifying_contract.unwrap_or_default());
        if chain != U256::from(deployment.chain_id) {
            return Err(DelegationError::OtherChain { signed: chain, here: deployment.chain_id });
        }
        if contract != deployment.generation_oracle {
            return Err(DelegationError::OtherContract { signed: contract, here: deployment.generation_oracle });
        }
        // What a wallet makes of the file has to be what the contract will make of the call.
        let shown = self.typed_data.eip712_signing_hash().map_err(other_types)?;
        match shown == delegation.hash(&domain(deployment.chain_id, deployment.generation_oracle)) {
            true => Ok(delegation),
            false => Err(DelegationError::OtherTypes(String::new())),
        }
    }

    fn decode(&self) -> Result<Delegation, DelegationError> {
        let encoded = self.typed_data.coerce().map_err(other_types)?.abi_encode();
        match self.typed_data.primary_type.as_str() {
            DelegatedImage::NAME => DelegatedImage::abi_decode(&encoded).map(Delegation::Image).map_err(other_types),
            DelegatedText::NAME => DelegatedText::abi_decode(&encoded).map(Delegation::Text).map_err(other_types),
            other => Err(DelegationError::OtherTypes(format!(": it is a {other}"))),
        }
    }
}

fn other_types(error: impl std::fmt::Display) -> DelegationError {
    DelegationError::OtherTypes(format!(": {error}"))
}

// -------------------------------------------------------------------------------------------------- the message, in JSON

fn image_message(it: &DelegatedImage) -> Value {
    let ImageSpec { prompt, negativePrompt, width, height, steps, solver, guidance, seed } = &it.spec;
    let spec = json!({
        "prompt": prompt,
        "negativePrompt": negativePrompt,
        "width": width,
        "height": height,
        "steps": steps,
        "solver": *solver as u8,
        "guidance": guidance,
        "seed": seed,
    });
    message(it.requester, it.modelId, &spec, &it.terms, [it.mostFee, it.nonce, it.deadline])
}

fn text_message(it: &DelegatedText) -> Value {
    let TextSpec { messages, maxTokens, beams, stops } = &it.spec;
    let said = |Message { role, content }: &Message| json!({ "role": *role as u8, "content": content });
    let spec = json!({
        "messages": messages.iter().map(said).collect::<Vec<_>>(),
        "maxTokens": maxTokens,
        "beams": beams,
        "stops": stops,
    });
    message(it.requester, it.modelId, &spec, &it.terms, [it.mostFee, it.nonce, it.deadline])
}

fn message(requester: Address, model: B256, spec: &Value, terms: &Terms, limits: [U256; 3]) -> Value {
    let [most_fee, nonce, deadline] = limits.map(|limit| limit.to_string());
    json!({
        "requester": requester,
        "modelId": model,
        "spec": spec,
        "terms": terms_message(terms),
        "mostFee": most_fee,
        "nonce": nonce,
        "deadline": deadline,
    })
}

fn terms_message(terms: &Terms) -> Value {
    json!({
        "committeeSize": terms.committeeSize,
        "superMajority": terms.superMajority,
        "fixedSeed": terms.fixedSeed,
        "share": terms.share.to_string(),
        "commitWindow": terms.commitWindow,
        "consumer": terms.consumer,
        "consumerGas": terms.consumerGas,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::aliases::U96;

    use super::*;
    use crate::spec::{ImageSpec as Picture, Message as Said, Solver, TextSpec as Text};

    const CHAIN: ChainId = 31_337;

    fn deployment() -> Deployment {
        Deployment {
            chain_id: CHAIN,
            generation_oracle: Address::repeat_byte(1),
            model_registry: Address::repeat_byte(2),
            randomness: Address::repeat_byte(3),
            generation_lens: Address::repeat_byte(4),
            block: 0,
            oracle_code_hash: None,
        }
    }

    fn specs() -> [Spec; 2] {
        let picture = Picture {
            prompt: "a fox".into(),
            negative_prompt: "".into(),
            width: 64,
            height: 48,
            steps: 20,
            solver: Solver::UniPc,
            guidance: 7_500,
            seed: B256::repeat_byte(7),
        };
        let (messages, stops) = (vec![Said::user("Why is the sky blue?")], vec!["\n\n".into()]);
        [Spec::Image(picture), Spec::Text(Text { messages, max_tokens: 64, beams: 2, stops })]
    }

    fn delegation(spec: &Spec) -> Delegation {
        let limits = Limits { most_fee: U256::MAX, nonce: U256::MAX, deadline: U256::from(1_800_000_000) };
        let terms = Terms { committeeSize: 3, share: U96::MAX, commitWindow: 120, ..Terms::default() };
        Delegation::new(Address::repeat_byte(9), B256::repeat_byte(5), spec, terms, limits)
    }

    fn file(delegation: &Delegation) -> DelegationFile {
        let typed_data = delegation.typed_data(&domain(CHAIN, deployment().generation_oracle));
        DelegationFile { typed_data, signature: None }
    }

    #[test]
    fn what_comes_out_of_a_file_is_what_went_in_and_what_a_wallet_hashes() {
        for spec in specs() {
            let delegation = delegation(&spec);
            let json = serde_json::to_vec(&file(&delegation)).unwrap();
            let read: DelegationFile = serde_json::from_slice(&json).unwrap();

            assert_eq!(read.delegation(&deployment()).unwrap(), delegation);
            let hash = delegation.hash(&domain(CHAIN, deployment().generation_oracle));
            assert_eq!(read.typed_data.eip712_signing_hash().unwrap(), hash);
        }
    }

    #[test]
    fn a_file_for_another_chain_or_contract_is_named() {
        let file = file(&delegation(&specs()[0]));

        let elsewhere = Deployment { chain_id: 1, ..deployment() };
        assert!(matches!(file.delegation(&elsewhere), Err(DelegationError::OtherChain { here: 1, .. })));
        let other = Deployment { generation_oracle: Address::repeat_byte(8), ..deployment() };
        assert!(matches!(file.delegation(&other), Err(DelegationError::OtherContract { .. })));
    }

    #[test]
    fn a_file_whose_types_are_not_the_contracts_is_refused() {
        let sound = serde_json::to_value(file(&delegation(&specs()[0]))).unwrap();
        let changes: [fn(&mut Value); 6] = [
            |it| it["primaryType"] = json!("ImageSpec"),
            |it| it["domain"]["name"] = json!("Other"),
            |it| it["message"]["spec"]["width"] = json!(4_294_967_296_u64),
            |it| it["message"]["spec"]["solver"] = json!(2),
            |it| it["message"]["nonce"] = Value::Null,
            |it| it["types"]["Terms"][3]["name"] = json!("committeeSize"),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = sound.clone();
            change(&mut other["typedData"]);
            let file: DelegationFile = serde_json::from_value(other).unwrap();
            let refused = file.delegation(&deployment());
            assert!(matches!(refused, Err(DelegationError::OtherTypes(_))), "change {number}: {refused:?}");
        }
    }
}
