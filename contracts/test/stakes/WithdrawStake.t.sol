// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract WithdrawStakeTest is Protocol {
    address internal owner = ownerOf(0);

    function test_withdrawStake_paysTheStakeOut() public {
        quit();
        pass(UNBONDING);

        vm.expectEmit(address(stakes));
        emit IVerifierStakes.StakeWithdrawn(modelId, 0, stranger, SEAT_STAKE);
        vm.prank(owner);
        assertEq(stakes.withdrawStake(modelId, 0, payable(stranger)), SEAT_STAKE);

        assertEq(stranger.balance, SEAT_STAKE);
        assertEq(address(stakes).balance, 4 * uint256(SEAT_STAKE));
        assertEq(stakes.seatOf(modelId, 0).owner, address(0));
        assertEq(stakes.poolOf(modelId).slots, 5);
    }

    function test_withdrawStake_paysWhatTheSeatHasEarned() public {
        bytes32 jobId = requestAndDraw(5);
        bytes32[] memory digests = new bytes32[](5);
        vote(jobId, digests);
        closeAppeals(jobId);
        settle(jobId);
        quit();
        pass(UNBONDING);

        vm.prank(owner);
        assertEq(stakes.withdrawStake(modelId, 0, payable(stranger)), SEAT_STAKE + SHARE);
    }

    function test_withdrawStake_failsTwice() public {
        quit();
        pass(UNBONDING);
        vm.prank(owner);
        stakes.withdrawStake(modelId, 0, payable(owner));

        fails(abi.encodeWithSelector(IVerifierStakes.NoSuchSeat.selector, modelId, 0));
    }

    function test_withdrawStake_failsWhileEnrolled() public {
        fails(abi.encodeWithSelector(IVerifierStakes.StillEnrolled.selector, modelId, 0));
    }

    function test_withdrawStake_failsWhileUnbonding() public {
        quit();
        uint256 until = vm.getBlockTimestamp() + UNBONDING;
        pass(UNBONDING - 1);
        fails(abi.encodeWithSelector(IVerifierStakes.Unbonding.selector, modelId, 0, until));
    }

    function test_withdrawStake_failsWhileAJobHoldsABond() public {
        bytes32 jobId = requestAndDraw(5);
        quit();
        pass(UNBONDING);
        fails(abi.encodeWithSelector(IVerifierStakes.JobsOpen.selector, modelId, 0));

        settle(jobId);
        vm.prank(owner);
        assertEq(stakes.withdrawStake(modelId, 0, payable(owner)), SEAT_STAKE - SHARE / 2);
    }

    function test_withdrawStake_ofAnEvictedSeatCountsFromTheEviction() public {
        bytes32 jobId = requestAndDraw(5);
        closeAppeals(jobId);
        settle(jobId);
        pass(UNBONDING - 1);
        fails(abi.encodeWithSelector(IVerifierStakes.Unbonding.selector, modelId, 0, vm.getBlockTimestamp() + 1));

        pass(1);
        vm.prank(owner);
        assertEq(stakes.withdrawStake(modelId, 0, payable(owner)), SEAT_STAKE - SHARE / 2);
    }

    function test_withdrawStake_failsForAnybodyButTheOwner() public {
        quit();
        pass(UNBONDING);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 0, stranger));
        vm.prank(stranger);
        stakes.withdrawStake(modelId, 0, payable(stranger));
    }

    function test_withdrawStake_toARevertingReceiverLosesNothing() public {
        quit();
        pass(UNBONDING);

        vm.expectRevert(Errors.FailedCall.selector);
        vm.prank(owner);
        stakes.withdrawStake(modelId, 0, payable(address(models)));

        assertEq(stakes.seatOf(modelId, 0).stake, SEAT_STAKE);
    }

    function test_withdrawStake_cannotBeReentered() public {
        Thief thief = new Thief(stakes, modelId);
        for (uint256 i; i < 2; ++i) {
            thief.enrol{value: SEAT_STAKE}();
        }
        thief.quit(5);
        thief.quit(6);
        pass(UNBONDING);

        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        thief.withdraw(5);
    }

    function fails(bytes memory error_) internal {
        vm.expectRevert(error_);
        vm.prank(owner);
        stakes.withdrawStake(modelId, 0, payable(owner));
    }

    function quit() internal {
        vm.prank(owner);
        stakes.leavePool(modelId, 0);
    }
}

contract Thief {
    IVerifierStakes private immutable STAKES;
    bytes32 private immutable MODEL_ID;

    constructor(IVerifierStakes stakes, bytes32 modelId) {
        (STAKES, MODEL_ID) = (stakes, modelId);
    }

    function enrol() external payable {
        STAKES.enrol{value: msg.value}(MODEL_ID, address(this));
    }

    function quit(uint32 seat) external {
        STAKES.leavePool(MODEL_ID, seat);
    }

    function withdraw(uint32 seat) public {
        STAKES.withdrawStake(MODEL_ID, seat, payable(address(this)));
    }

    receive() external payable {
        withdraw(6);
    }
}
