// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract CommitteeTest is Protocol {
    uint64 internal time;

    function setUp() public override {
        super.setUp();
        enrol(25);
        pass(SEAT_AGE);
        time = uint64(vm.getBlockTimestamp());
    }

    function testFuzz_committee_drawsDifferentSeatsOfThePool(bytes32 seed_, uint8 size) public view {
        size = uint8(bound(size, 1, 30));

        uint32[] memory drawn = stakes.committee(modelId, seed_, 30, time, size);

        assertEq(drawn.length, size);
        for (uint256 i; i < drawn.length; ++i) {
            assertLt(drawn[i], 30);
            for (uint256 j; j < i; ++j) {
                assertNotEq(drawn[i], drawn[j]);
            }
        }
    }

    /// @dev Whatever happens to the pool after the request.
    function testFuzz_committee_dependsOnThePoolAtTheRequestOnly(bytes32 seed_, uint256 moves) public {
        for (uint32 seat; seat < 5; ++seat) {
            leave(seat);
        }
        pass(bound(moves, 1, 100));
        uint64 requestTime = uint64(vm.getBlockTimestamp());
        uint32 slots = stakes.slotCount(modelId);
        bytes memory before = abi.encode(stakes.committee(modelId, seed_, slots, requestTime, 7));

        for (uint32 seat = 5; seat < 30; ++seat) {
            pass((moves >> seat) % 2);
            uint256 move = (moves >> (2 * seat)) % 5;
            if (move == 0) leave(seat);
            if (move == 1) evict(seat);
            if (move == 2) enrol(1);
            if (move == 3) slash(seat);
            if (move == 4) bindAll(seat);
        }
        // Longer than a draw window, shorter than the unbonding of who left after the request.
        pass(300);
        assertEq(abi.encode(stakes.committee(modelId, seed_, slots, requestTime, 7)), before);

        // Numbers that were free at the request may be taken again: their seats are too young.
        pass(UNBONDING - 301 - 25);
        for (uint32 seat; seat < 5; ++seat) {
            if (vm.getBlockTimestamp() < stakes.seatOf(modelId, seat).leftAt + UNBONDING) continue;
            vm.prank(ownerOf(seat));
            stakes.withdraw(modelId, seat, payable(stranger));
            hoax(stranger, SEAT_STAKE);
            stakes.enrol{value: SEAT_STAKE}(modelId, stranger);
        }
        assertEq(abi.encode(stakes.committee(modelId, seed_, slots, requestTime, 7)), before);
    }

    function test_committee_passesOverSeatsThatAreTooYoung() public {
        uint64 enrolledAt = stakes.seatOf(modelId, 29).enrolledAt;

        assertEq(stakes.committee(modelId, "seed", 30, enrolledAt + SEAT_AGE, 31).length, 30);
        assertEq(stakes.committee(modelId, "seed", 30, enrolledAt + SEAT_AGE - 1, 31).length, 5);
    }

    function test_committee_drawsWhoLeavesInTheSecondOfTheRequest() public {
        leave(3);

        assertEq(stakes.committee(modelId, "seed", 30, time, 31).length, 30);
        assertEq(stakes.committee(modelId, "seed", 30, time + 1, 31).length, 29);
    }

    function test_committee_ofAnEmptyPoolIsEmpty() public view {
        assertEq(stakes.committee("none", "seed", 0, time, 31).length, 0);
    }

    function test_committee_drawsEverySeatAboutEquallyOften() public view {
        uint256[30] memory counts;
        for (uint256 i; i < 2000; ++i) {
            uint32[] memory drawn = stakes.committee(modelId, bytes32(i), 30, time, 3);
            for (uint256 j; j < 3; ++j) {
                ++counts[drawn[j]];
            }
        }

        // 200 expected, with a standard deviation of 13.4: five of them.
        for (uint256 seat; seat < 30; ++seat) {
            assertApproxEqAbs(counts[seat], 200, 67);
        }
    }

    // ------------------------------------------------------------------------------------------------------------ moves

    function leave(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.leavePool(modelId, seat);
    }

    function evict(uint32 seat) internal {
        release(seat, SHARE / 2, true);
    }

    function slash(uint32 seat) internal {
        release(seat, BOND, false);
    }

    function release(uint32 seat, uint96 burned, bool out) internal {
        bindOnce(seat);
        IVerifierStakes.Penalty[] memory penalties = new IVerifierStakes.Penalty[](1);
        penalties[0] = IVerifierStakes.Penalty({seat: seat, bond: BOND, burned: burned, evict: out});
        vm.prank(address(oracle));
        stakes.release("job", modelId, penalties);
    }

    function bindAll(uint32 seat) internal {
        for (uint256 i; i < 8; ++i) {
            bindOnce(seat);
        }
    }

    function bindOnce(uint32 seat) internal {
        uint32[] memory one = new uint32[](1);
        one[0] = seat;
        vm.prank(address(oracle));
        stakes.bind(modelId, one, BOND);
    }
}
