// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A member reveals once it knows that nobody will: too late to be judged by others, in time to be paid.
contract LateRevealTest is Attack {
    function test_lateReveal_isNotTaken() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);

        pass(REVEAL_WINDOW + COMMIT_WINDOW);
        tryReveal(jobId, 2, DIGEST);
        finish(jobId);

        assertLe(worthOf(jobId, 2), before - BOND);
    }
}
