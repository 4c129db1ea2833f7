// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract WithdrawStakeTest is Protocol {
    address internal owner;

    function setUp() public override {
        super.setUp();
        owner = ownerOf(0);
    }

    function test_withdraw_paysTheStakeOut() public {
        leave();
        pass(UNBONDING);

        vm.prank(owner);
        assertEq(stakes.withdraw(modelId, 0, payable(stranger)), SEAT_STAKE);

        assertEq(stranger.balance, SEAT_STAKE);
        assertEq(address(stakes).balance, 4 * uint256(SEAT_STAKE));
        assertEq(stakes.seatOf(modelId, 0).owner, address(0));
    }

    function test_withdraw_failsTwice() public {
        leave();
        pass(UNBONDING);
        vm.startPrank(owner);
        stakes.withdraw(modelId, 0, payable(owner));

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NoSuchSeat.selector, modelId, 0));
        stakes.withdraw(modelId, 0, payable(owner));
    }

    function test_withdraw_failsWhileEnrolled() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.StillEnrolled.selector, modelId, 0));
        vm.prank(owner);
        stakes.withdraw(modelId, 0, payable(owner));
    }

    function test_withdraw_failsWhileUnbonding() public {
        leave();
        uint256 until = vm.getBlockTimestamp() + UNBONDING;
        pass(UNBONDING - 1);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.Unbonding.selector, modelId, 0, until));
        vm.prank(owner);
        stakes.withdraw(modelId, 0, payable(owner));
    }

    function test_withdraw_failsWhileAJobHoldsABond() public {
        bytes32 jobId = requestAndDraw(5);
        leave();
        pass(UNBONDING);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.JobsOpen.selector, modelId, 0, BOND));
        vm.prank(owner);
        stakes.withdraw(modelId, 0, payable(owner));

        oracle.settle(jobId);
        vm.prank(owner);
        assertEq(stakes.withdraw(modelId, 0, payable(owner)), SEAT_STAKE - SHARE / 2);
    }

    function test_withdraw_failsForAnybodyButTheOwner() public {
        leave();
        pass(UNBONDING);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 0, stranger));
        vm.prank(stranger);
        stakes.withdraw(modelId, 0, payable(stranger));
    }

    function test_withdraw_toARevertingReceiverLosesNothing() public {
        leave();
        pass(UNBONDING);

        vm.expectRevert(Errors.FailedCall.selector);
        vm.prank(owner);
        stakes.withdraw(modelId, 0, payable(address(models)));

        assertEq(stakes.seatOf(modelId, 0).stake, SEAT_STAKE);
    }

    function leave() internal {
        vm.prank(owner);
        stakes.leavePool(modelId, 0);
    }
}
