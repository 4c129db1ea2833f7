// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A lazy member commits to anything in time, and to another's answer once it has heard of it.
contract EquivocationTest is Attack {
    function test_equivocation_earnsNothing() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);

        commit(jobId, 2, FAKE);
        bool changed = tryCommit(jobId, 2, DIGEST);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        reveal(jobId, 2, changed ? DIGEST : FAKE);
        finish(jobId);

        assertLe(worthOf(jobId, 2), before);
    }
}
