// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "./IGenerationOracle.sol";

/// @title IGenerationConsumer: a contract that waits for a verdict
interface IGenerationConsumer {
    /// @notice Sent by the oracle once the verdict is final, with the gas that the terms name. It is sent once: what is
    /// not done then has to be done from `IGenerationOracle.isFinal` later.
    /// @dev Check the sender, and bind to the job's id and the digest: a content hash is only its verifier's word. Check
    /// that the model, the committee and the safe value are what the use needs; whoever made the request chose them.
    function onVerdict(bytes32 jobId, IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict)
        external;
}
