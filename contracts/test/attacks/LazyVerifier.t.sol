// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A member answers without any work: always the same picture, or a random digest.
contract LazyVerifierTest is Attack {
    function testFuzz_lazyVerifier_loses(uint256 random) public {
        bytes32 digest = keccak256(abi.encode("guess", random)) & BITS;
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);

        vote(jobId, three(DIGEST, DIGEST, digest));
        finish(jobId);

        assertLe(worthOf(jobId, 2), before - BOND);
    }
}
