//! The contracts' interfaces, read from their Solidity.

#![allow(missing_docs, reason = "what needs no word there needs none here")]

use alloy::sol;

sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IGenerationOracle.sol"
);
sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IModelRegistry.sol"
);
sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IVerifierStakes.sol"
);
sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IRandomness.sol"
);
sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/randomness/DrandRandomness.sol"
);
