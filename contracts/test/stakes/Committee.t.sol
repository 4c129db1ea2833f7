// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Protocol} from "../Protocol.t.sol";

contract CommitteeTest is Protocol {
    using Members for IGenerationOracle.Member;

    uint40 internal time;

    function setUp() public override {
        super.setUp();
        enrol(25);
        pass(SEAT_AGE);
        time = uint40(vm.getBlockTimestamp());
    }

    function testFuzz_committee_drawsDifferentSeatsOfThePool(bytes32 seed_, uint8 size) public view {
        size = uint8(bound(size, 1, 30));

        uint32[] memory drawn = committee(seed_, 30, time, size);

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
            quit(seat);
        }
        uint256 left = vm.getBlockTimestamp();
        pass(bound(moves, 2 * SEAT_AGE, 100));
        uint40 requestedAt = uint40(vm.getBlockTimestamp());
        uint32 slots = stakes.poolOf(modelId).slots;
        bytes memory before = abi.encode(committee(seed_, slots, requestedAt, 7));

        silence();
        for (uint32 seat = 5; seat < 30; ++seat) {
            pass((moves >> seat) % 2);
            uint256 move = (moves >> (2 * seat)) % 4;
            if (move == 0 && stakes.seatOf(modelId, seat).leftAt == 0) quit(seat);
            if (move == 1) enrol(1);
            if (move == 2) rename(seat);
            if (move == 3 && stakes.poolOf(modelId).old >= 3) requestAndDraw(3);
        }
        assertEq(abi.encode(committee(seed_, slots, requestedAt, 7)), before);

        // Numbers that were free at the request may be taken again: their seats are too young.
        vm.warp(left + UNBONDING);
        for (uint32 seat; seat < 5; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.withdrawStake(modelId, seat, payable(stranger));
            hoax(stranger, SEAT_STAKE);
            stakes.enrol{value: SEAT_STAKE}(modelId, stranger);
        }
        assertEq(abi.encode(committee(seed_, slots, requestedAt, 7)), before);
    }

    function test_committee_passesOverSeatsThatAreTooYoung() public view {
        uint40 enrolledAt = stakes.seatOf(modelId, 29).enrolledAt;

        assertEq(committee("seed", 30, enrolledAt + SEAT_AGE, 31).length, 30);
        assertEq(committee("seed", 30, enrolledAt + SEAT_AGE - 1, 31).length, 5);
    }

    function test_committee_drawsWhoLeavesInTheSecondOfTheRequest() public {
        quit(3);

        assertEq(committee("seed", 30, time, 31).length, 30);
        assertEq(committee("seed", 30, time + 1, 31).length, 29);
    }

    function test_committee_ofAnEmptyPoolIsEmpty() public view {
        assertEq(stakes.committee("none", "seed", 0, time, 31).length, 0);
    }

    /// @dev 4 x 3 + 16 slots, three of which are eligible.
    function testFuzz_committee_findsEverySeatOfAPoolThatItCanSearchThrough(bytes32 seed_) public {
        for (uint32 seat; seat < 25; ++seat) {
            quit(seat);
        }
        assertEq(committee(seed_, 28, time + 1, 3).length, 3);
    }

    function test_committee_namesOperatorsAndPlaces() public {
        pass(SEAT_AGE);
        bytes32 jobId = requestAndDraw(29);
        bool[30] memory busy;
        for (uint256 i; i < 29; ++i) {
            busy[roundOf(jobId).members[i].seat()] = true;
        }

        bytes32[] memory drawn = stakes.committee(modelId, "seed", 30, time, 30);

        IGenerationOracle.Member[] memory members = Members.wrap(drawn);
        for (uint256 i; i < 30; ++i) {
            uint32 seat = members[i].seat();
            assertEq(members[i].operator(), operatorOf(seat));
            assertEq(members[i].place(), busy[seat] ? 1 : 0);
        }
    }

    function test_committee_drawsEverySeatAboutEquallyOften() public view {
        uint256[30] memory counts;
        for (uint256 i; i < 2000; ++i) {
            uint32[] memory drawn = committee(bytes32(i), 30, time, 3);
            for (uint256 j; j < 3; ++j) {
                ++counts[drawn[j]];
            }
        }

        // 200 expected, with a standard deviation of 13.4: five of them.
        for (uint256 seat; seat < 30; ++seat) {
            assertApproxEqAbs(counts[seat], 200, 67);
        }
    }

    // -------------------------------------------------------------------------------------------------------------- moves

    function committee(bytes32 seed_, uint32 slots, uint40 requestedAt, uint8 size)
        internal
        view
        returns (uint32[] memory drawn)
    {
        bytes32[] memory members = stakes.committee(modelId, seed_, slots, requestedAt, size);
        drawn = new uint32[](members.length);
        for (uint256 i; i < members.length; ++i) {
            drawn[i] = Members.wrap(members)[i].seat();
        }
    }

    function quit(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.leavePool(modelId, seat);
    }

    function rename(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.setOperator(modelId, seat, stranger);
    }

    /// @dev Evicts five seats.
    function silence() internal {
        bytes32 jobId = requestAndDraw(5);
        closeAppeals(jobId);
        settle(jobId);
    }
}
