// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice Three seats of one owner.
contract WithdrawEarningsTest is Protocol {
    address internal owner = makeAddr("owner");

    function setUp() public override {
        super.setUp();
        IModelRegistry.Model memory model = emoji();
        model.manifestHash = "another";
        vm.prank(modelOwner);
        modelId = models.register(model, "another");
        for (uint256 seat; seat < 3; ++seat) {
            hoax(owner, SEAT_STAKE);
            stakes.enrol{value: SEAT_STAKE}(modelId, operatorOf(seat));
        }
        pass(2 * SEAT_AGE);
    }

    function test_withdrawEarnings_paysWhatTheSeatsHaveEarned() public {
        settle(decided(three(DIGEST, DIGEST, DIGEST)));
        settle(decided(three(DIGEST, DIGEST, DIGEST)));

        vm.expectEmit(address(stakes));
        emit IVerifierStakes.EarningsWithdrawn(modelId, 2, stranger, 2 * SHARE);
        vm.expectEmit(address(stakes));
        emit IVerifierStakes.EarningsWithdrawn(modelId, 0, stranger, 2 * SHARE);
        vm.prank(owner);
        assertEq(stakes.withdrawEarnings(modelId, seats(2, 0), payable(stranger)), 4 * SHARE);

        assertEq(stranger.balance, 4 * SHARE);
        assertEq(stakes.seatOf(modelId, 0).earned, 0);
        assertEq(stakes.seatOf(modelId, 1).earned, 2 * SHARE);
        assertEq(stakeOf(0), SEAT_STAKE);
    }

    function test_withdrawEarnings_paysASeatOnce() public {
        settle(decided(three(DIGEST, DIGEST, DIGEST)));

        vm.prank(owner);
        assertEq(stakes.withdrawEarnings(modelId, seats(0, 0), payable(owner)), SHARE);

        fails(seats(0, 0), abi.encodeWithSelector(IVerifierStakes.NothingEarned.selector, modelId));
    }

    function test_withdrawEarnings_failsForNoSeats() public {
        fails(new uint32[](0), abi.encodeWithSelector(IVerifierStakes.NothingEarned.selector, modelId));
    }

    function test_withdrawEarnings_failsUnlessAllSeatsAreTheCallers() public {
        settle(decided(three(DIGEST, DIGEST, DIGEST)));
        hoax(stranger, SEAT_STAKE);
        stakes.enrol{value: SEAT_STAKE}(modelId, stranger);

        fails(seats(0, 3), abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 3, owner));
        fails(seats(0, 4), abi.encodeWithSelector(IVerifierStakes.NoSuchSeat.selector, modelId, 4));
    }

    function test_withdrawEarnings_isNotTheOperators() public {
        settle(decided(three(DIGEST, DIGEST, DIGEST)));
        address operator = operatorOf(0);

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 0, operator));
        vm.prank(operator);
        stakes.withdrawEarnings(modelId, seats(0, 0), payable(operator));
    }

    function test_withdrawEarnings_toARevertingReceiverLosesNothing() public {
        settle(decided(three(DIGEST, DIGEST, DIGEST)));

        vm.expectRevert(Errors.FailedCall.selector);
        vm.prank(owner);
        stakes.withdrawEarnings(modelId, seats(0, 1), payable(address(models)));

        assertEq(stakes.seatOf(modelId, 0).earned, SHARE);
    }

    function seats(uint32 a, uint32 b) internal pure returns (uint32[] memory numbers) {
        numbers = new uint32[](2);
        (numbers[0], numbers[1]) = (a, b);
    }

    function fails(uint32[] memory numbers, bytes memory error_) internal {
        vm.expectRevert(error_);
        vm.prank(owner);
        stakes.withdrawEarnings(modelId, numbers, payable(owner));
    }
}
