// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract LeavePoolTest is Protocol {
    function test_leavePool_countsForLaterRequestsOnly() public {
        bytes32 before = request(5);
        for (uint32 seat; seat < 2; ++seat) {
            leave(seat);
        }
        pass(1);
        bytes32 later = request(3);

        oracle.draw(before, seed(before));
        oracle.draw(later, seed(later));

        assertEq(oracle.votes(before).length, 5);
        for (uint256 member; member < 3; ++member) {
            assertGe(oracle.votes(later)[member].seat, 2);
        }
    }

    function test_leavePool_keepsTheSlot() public {
        leave(4);

        assertEq(stakes.slotCount(modelId), 5);
        assertEq(stakes.activeSeats(modelId), 4);
        assertEq(stakes.seatOf(modelId, 4).leftAt, vm.getBlockTimestamp());
    }

    function test_leavePool_happensOnce() public {
        leave(4);

        address owner = ownerOf(4);
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.AlreadyLeft.selector, modelId, 4));
        vm.prank(owner);
        stakes.leavePool(modelId, 4);
    }

    function test_leavePool_failsForAnybodyButTheOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 4, stranger));
        vm.prank(stranger);
        stakes.leavePool(modelId, 4);
    }

    function leave(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.leavePool(modelId, seat);
    }
}
