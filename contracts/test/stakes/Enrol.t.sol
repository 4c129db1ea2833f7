// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract EnrolTest is Protocol {
    address internal owner = makeAddr("owner");
    address internal operator = makeAddr("operator");

    function setUp() public override {
        super.setUp();
        vm.deal(owner, 10 ether);
    }

    function test_enrol_takesASeat() public {
        vm.expectEmit();
        emit IVerifierStakes.Enrolled(modelId, 5, owner, operator, SEAT_STAKE);
        vm.prank(owner);
        uint32 seat = stakes.enrol{value: SEAT_STAKE}(modelId, operator);

        IVerifierStakes.Seat memory held = stakes.seatOf(modelId, seat);
        assertEq(held.owner, owner);
        assertEq(held.operator, operator);
        assertEq(held.stake, SEAT_STAKE);
        assertEq(held.bonded, 0);
        assertEq(held.enrolledAt, vm.getBlockTimestamp());
        assertEq(held.leftAt, 0);
        assertEq(stakes.slotCount(modelId), 6);
        assertEq(stakes.activeSeats(modelId), 6);
        assertEq(address(stakes).balance, 6 * uint256(SEAT_STAKE));
    }

    function test_enrol_reusesTheNumberOfAWithdrawnSeat() public {
        vm.prank(ownerOf(2));
        stakes.leavePool(modelId, 2);
        pass(UNBONDING);
        vm.prank(ownerOf(2));
        stakes.withdraw(modelId, 2, payable(owner));

        vm.startPrank(owner);
        assertEq(stakes.enrol{value: SEAT_STAKE}(modelId, operator), 2);
        assertEq(stakes.enrol{value: SEAT_STAKE}(modelId, operator), 5);
    }

    function testFuzz_enrol_failsUnlessTheStakeIsExact(uint256 sent) public {
        sent = bound(sent, 0, 10 ether);
        vm.assume(sent != SEAT_STAKE);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.WrongStake.selector, sent, SEAT_STAKE));
        vm.prank(owner);
        stakes.enrol{value: sent}(modelId, operator);
    }

    function test_enrol_failsWithoutAnOperator() public {
        vm.expectRevert(IVerifierStakes.EmptyOperator.selector);
        vm.prank(owner);
        stakes.enrol{value: SEAT_STAKE}(modelId, address(0));
    }

    function test_enrol_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        stakes.enrol("none", operator);
    }
}
