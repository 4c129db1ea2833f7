// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A lazy member waits for another's reveal and hands it in as its own.
contract CopyARevealTest is Attack {
    function test_copyAReveal_earnsNothing() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);

        if (!tryReveal(jobId, 0, DIGEST)) {
            closeCommits(jobId);
            reveal(jobId, 0, DIGEST);
        }
        tryCommit(jobId, 2, DIGEST);
        reveal(jobId, 1, DIGEST);
        tryReveal(jobId, 2, DIGEST);
        finish(jobId);

        assertLe(worthOf(jobId, 2), before);
    }
}
