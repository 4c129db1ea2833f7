// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A requester asks for what no two machines agree on, or nobody finishes, and has others work for nothing.
contract RequesterGriefingTest is Attack {
    function test_requesterGriefing_paysThoseWhoWorked() public {
        uint256 rich = worth(requester);
        bytes32 jobId = requestAndDraw(3);
        uint256[] memory before = new uint256[](3);
        for (uint256 i; i < 3; ++i) {
            before[i] = worthOf(jobId, i);
        }

        vote(jobId, three(DIGEST, FAKE, keccak256("a third picture") & BITS));
        IGenerationOracle.Verdict memory verdict = finish(jobId);

        assertEq(uint8(verdict.outcome), uint8(IGenerationOracle.Outcome.Unresolved));
        for (uint256 i; i < 3; ++i) {
            assertGe(worthOf(jobId, i), before[i] + SHARE / 2);
        }
        assertLe(worth(requester), rich - 3 * uint256(SHARE) / 2);
    }

    /// @dev Jobs that are too hard for anybody: what members lose must not be what the requester gets.
    function test_requesterGriefing_collectsNoPenalties() public {
        uint256 rich = worth(requester);
        bytes32 jobId = requestAndDraw(3);

        decline(jobId, 0);
        commit(jobId, 1, DIGEST);
        closeCommits(jobId);
        reveal(jobId, 1, DIGEST);
        finish(jobId);

        assertLe(worth(requester), rich - SHARE / 2);
    }
}
