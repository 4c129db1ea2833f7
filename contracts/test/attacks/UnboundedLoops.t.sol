// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Committees, pools and appeals without end, until a step no longer fits in a block.
contract UnboundedLoopsTest is Attack {
    function testFuzz_unboundedLoops_committeesAreBounded(uint8 size) public {
        IGenerationOracle.Terms memory of_ = terms(uint8(bound(size, 32, 255)));
        fillPool();
        enrol(10);
        pass(2 * SEAT_AGE);
        vm.prank(stranger);
        oracle.deposit{value: 10 ether}();

        assertFalse(attempt(stranger, abi.encodeCall(oracle.requestImage, (modelId, spec(), of_))));
        of_.committeeSize = 33;
        assertFalse(attempt(stranger, abi.encodeCall(oracle.requestImage, (modelId, spec(), of_))));
    }

    /// @dev A pool is filled with seats that have left.
    function test_unboundedLoops_aPoolFullOfHolesDoesNotStopADraw() public {
        enrol(400);
        for (uint32 seat = 5; seat < 405; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        pass(2 * SEAT_AGE);
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);

        uint256 gas = gasleft();
        oracle.draw(job, header);

        assertLt(gas - gasleft(), 2_000_000);
    }

    function test_unboundedLoops_roundsAreBounded() public {
        enrol(40);
        pass(2 * SEAT_AGE);
        bytes32 jobId = requestAndDraw(15);
        voteAll(jobId, DIGEST);
        for (uint256 round = 2; round <= 4; ++round) {
            vm.deal(stranger, 10 ether);
            appeal(jobId, stranger);
            voteAll(jobId, DIGEST);
        }

        assertPhase(jobId, IGenerationOracle.Phase.Settle);
        assertFalse(attempt(stranger, abi.encodeCall(oracle.appeal, (jobOf(jobId)))));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory last = roundOf(jobId);
        uint256 gas = gasleft();
        oracle.settle(job, last);

        assertLt(gas - gasleft(), 10_000_000);
    }
}
