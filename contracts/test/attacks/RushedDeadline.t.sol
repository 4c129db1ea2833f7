// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Two members commit and reveal at once, so that the third's time runs out early.
contract RushedDeadlineTest is Attack {
    function test_rushedDeadline_leavesTheTimeThatTheDrawSet() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 drawn = vm.getBlockTimestamp();
        uint256 before = worthOf(jobId, 2);

        commit(jobId, 2, DIGEST);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        vm.warp(drawn + COMMIT_WINDOW + REVEAL_WINDOW - 1);
        tryReveal(jobId, 2, DIGEST);
        finish(jobId);

        assertGe(worthOf(jobId, 2), before + SHARE);
    }
}
