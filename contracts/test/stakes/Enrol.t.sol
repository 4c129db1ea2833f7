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
        vm.expectEmit(address(stakes));
        emit IVerifierStakes.Enrolled(modelId, 5, owner, operator, SEAT_STAKE);
        vm.prank(owner);
        uint32 seat = stakes.enrol{value: SEAT_STAKE}(modelId, operator);

        IVerifierStakes.Seat memory held = stakes.seatOf(modelId, seat);
        assertEq(held.enrolledAt, vm.getBlockTimestamp());
        assertEq(held.leftAt, 0);
        assertEq(held.places, 0);
        assertEq(held.bonds, 8);
        assertEq(held.earned, 0);
        assertEq(held.operator, operator);
        assertEq(held.stake, SEAT_STAKE);
        assertEq(held.owner, owner);
        assertEq(stakes.poolOf(modelId).slots, 6);
        assertEq(stakes.poolOf(modelId).active, 6);
        assertEq(address(stakes).balance, 6 * uint256(SEAT_STAKE));
    }

    function test_enrol_usesTheNumberOfAWithdrawnSeatAgain() public {
        vm.prank(ownerOf(2));
        stakes.leavePool(modelId, 2);
        pass(UNBONDING);
        vm.prank(ownerOf(2));
        stakes.withdrawStake(modelId, 2, payable(stranger));

        vm.startPrank(owner);
        assertEq(stakes.enrol{value: SEAT_STAKE}(modelId, operator), 2);
        assertEq(stakes.enrol{value: SEAT_STAKE}(modelId, operator), 5);
        assertEq(stakes.seatOf(modelId, 2).owner, owner);
        assertEq(stakes.seatOf(modelId, 2).leftAt, 0);
    }

    function test_enrol_keepsThePoolsApart() public {
        IModelRegistry.Model memory model = emoji();
        model.seatStake = 1 ether;
        vm.prank(modelOwner);
        bytes32 other = models.register(model, "another");

        vm.prank(owner);
        assertEq(stakes.enrol{value: 1 ether}(other, operator), 0);

        assertEq(stakes.poolOf(other).slots, 1);
        assertEq(stakes.poolOf(modelId).slots, 5);
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
