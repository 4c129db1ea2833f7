// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A member renders a cheap approximation, and looks for the digest near it that another has committed to.
contract BruteForceACommitmentTest is Attack {
    using Members for IGenerationOracle.Member;

    function test_bruteForceACommitment_earnsNothing() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);

        bytes32 digest = search(jobId, flip(DIGEST, 0, ACCEPT + 2));
        commit(jobId, 2, digest);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        reveal(jobId, 2, digest);
        finish(jobId);

        assertLe(worthOf(jobId, 2), before);
    }

    /// @dev It knows all but the salt.
    function search(bytes32 jobId, bytes32 approximation) internal view returns (bytes32) {
        IGenerationOracle.Member victim = roundOf(jobId).members[0];
        bytes32 seen = commitment(jobId, 0, DIGEST);
        for (uint256 bits; bits < 64; ++bits) {
            bytes32 digest = flip(approximation, 0, bits);
            IGenerationOracle.Opening memory opening = IGenerationOracle.Opening(digest, contentHashOf(0), 0);
            if (oracle.commitmentOf(jobId, 1, victim.seat(), opening) == seen) return digest;
        }
        return approximation;
    }
}
