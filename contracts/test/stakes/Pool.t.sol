// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract PoolTest is Protocol {
    function test_poolOf_countsSlotsAndSeats() public view {
        IVerifierStakes.PoolView memory pool = stakes.poolOf(modelId);
        assertEq(pool.slots, 5);
        assertEq(pool.active, 5);
        assertEq(pool.old, 5);
    }

    function test_poolOf_anUnknownModelIsEmpty() public view {
        IVerifierStakes.PoolView memory none;
        assertEq(abi.encode(stakes.poolOf("none")), abi.encode(none));
    }

    function test_poolOf_doesNotCountWhoLeft() public {
        vm.prank(ownerOf(1));
        stakes.leavePool(modelId, 1);

        IVerifierStakes.PoolView memory pool = stakes.poolOf(modelId);
        assertEq(pool.slots, 5);
        assertEq(pool.active, 4);
        assertEq(pool.old, 4);
    }

    function test_poolOf_doesNotCountWhoWasEvicted() public {
        bytes32 jobId = requestAndDraw(3);
        closeAppeals(jobId);
        settle(jobId);

        assertEq(stakes.poolOf(modelId).active, 2);
        assertEq(stakes.poolOf(modelId).old, 2);
    }

    /// @dev Never a seat that is too young to be drawn, and every one that is twice as old as it must be.
    function testFuzz_poolOf_countsWhoIsSurelyOld(uint256 moves) public {
        for (uint256 i; i < 12; ++i) {
            uint256 move = (moves >> (16 * i)) % 8;
            uint32 seat = uint32((moves >> (16 * i + 3)) % stakes.poolOf(modelId).slots);
            if (move < 4) enrol(1 + move / 2);
            if (move > 5 && stakes.seatOf(modelId, seat).leftAt == 0) quit(seat);
            pass((moves >> (16 * i + 9)) % 8);
            check();
        }
    }

    function check() internal view {
        IVerifierStakes.PoolView memory pool = stakes.poolOf(modelId);
        IVerifierStakes.Seat[] memory seats = stakes.seats(modelId, 0, pool.slots);
        uint256 active;
        uint256 old;
        uint256 surely;
        for (uint256 i; i < seats.length; ++i) {
            if (seats[i].leftAt != 0) continue;
            ++active;
            if (seats[i].enrolledAt + SEAT_AGE <= block.timestamp) ++old;
            if (seats[i].enrolledAt + 2 * SEAT_AGE <= block.timestamp) ++surely;
        }
        assertEq(pool.active, active);
        assertLe(pool.old, old);
        assertGe(pool.old, surely);
    }

    function quit(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.leavePool(modelId, seat);
    }
}
