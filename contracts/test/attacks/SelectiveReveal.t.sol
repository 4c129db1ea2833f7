// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A member sees how the others revealed before it decides whether to.
contract SelectiveRevealTest is Attack {
    /// @dev It was wrong, and hides it.
    function test_selectiveReveal_isNoCheaperThanBeingWrong() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);
        commitAll(jobId, three(DIGEST, DIGEST, FAKE));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);

        finish(jobId);

        assertLe(worthOf(jobId, 2), before - BOND);
    }

    /// @dev It was right, and withholds the vote that makes the quorum.
    function test_selectiveReveal_paysForLeavingAJobUnresolved() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);
        commit(jobId, 0, DIGEST);
        commit(jobId, 2, DIGEST);
        decline(jobId, 1);
        reveal(jobId, 0, DIGEST);

        finish(jobId);

        assertLe(worthOf(jobId, 2), before - BOND);
    }
}
