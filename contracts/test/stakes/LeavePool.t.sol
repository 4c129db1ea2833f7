// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Protocol} from "../Protocol.t.sol";

contract LeavePoolTest is Protocol {
    using Members for IGenerationOracle.Member;

    function test_leavePool_countsForLaterRequestsOnly() public {
        bytes32 before = request(5);
        quit(0);
        quit(1);
        pass(1);
        bytes32 later = request(3);

        draw(before);
        draw(later);

        assertEq(roundOf(before).members.length, 5);
        for (uint256 member; member < 3; ++member) {
            assertGe(roundOf(later).members[member].seat(), 2);
        }
    }

    function test_leavePool_keepsTheSlot() public {
        vm.expectEmit(address(stakes));
        emit IVerifierStakes.Left(modelId, 4, false);
        quit(4);

        assertEq(stakes.poolOf(modelId).slots, 5);
        assertEq(stakes.poolOf(modelId).active, 4);
        assertEq(stakes.seatOf(modelId, 4).leftAt, vm.getBlockTimestamp());
        assertEq(stakes.seatOf(modelId, 4).stake, SEAT_STAKE);
    }

    function test_leavePool_happensOnce() public {
        quit(4);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.AlreadyLeft.selector, modelId, 4));
        quit(4);
    }

    function test_leavePool_failsForAnybodyButTheOwner() public {
        address operator = operatorOf(4);
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 4, operator));
        vm.prank(operator);
        stakes.leavePool(modelId, 4);
    }

    function test_leavePool_failsForASeatThatIsNotThere() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NoSuchSeat.selector, modelId, 5));
        stakes.leavePool(modelId, 5);
    }

    function quit(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.leavePool(modelId, seat);
    }
}
