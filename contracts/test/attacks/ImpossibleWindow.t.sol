// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A requester gives less time than the work takes, so that honest members are punished as silent.
contract ImpossibleWindowTest is Attack {
    function testFuzz_impossibleWindow_isNotTaken(uint32 steps, uint32 window) public {
        IGenerationOracle.ImageSpec memory heavy = spec();
        (heavy.width, heavy.height) = (128, 128);
        heavy.steps = uint32(bound(steps, 1, 100));
        uint256 work = uint256(heavy.steps) * 128 * 128;
        uint256 needed = work * emoji().time * 4 / 1e9;
        IGenerationOracle.Terms memory of_ = terms(3);
        of_.commitWindow = uint32(bound(window, 0, needed > COMMIT_WINDOW ? needed : COMMIT_WINDOW - 1));
        vm.assume(of_.commitWindow < needed || of_.commitWindow < COMMIT_WINDOW);

        vm.prank(stranger);
        oracle.deposit{value: 1 ether}();
        assertFalse(attempt(stranger, abi.encodeCall(oracle.requestImage, (modelId, heavy, of_))));
    }

    /// @dev To hurt members that cannot keep up the requester has to put up more than they lose.
    function test_impossibleWindow_costsMembersLessThanTheRequesterPutsUp() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 0) + worthOf(jobId, 1) + worthOf(jobId, 2);

        finish(jobId);

        uint256 lost = before - worthOf(jobId, 0) - worthOf(jobId, 1) - worthOf(jobId, 2);
        assertLe(lost, 3 * uint256(SHARE) / 2);
    }
}
