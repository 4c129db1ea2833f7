// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Digests} from "../../src/libraries/Digests.sol";
import {Tally} from "../../src/libraries/Tally.sol";

contract TallyTest is Test {
    bytes32 internal constant HONEST = keccak256("an honest picture");

    // ----------------------------------------------------------------------------------------------------------- fairness

    /// @dev The theorem behind the registry's inequality: as long as honest digests accept each other, no number of hostile
    /// ones below the quorum gets an honest one rejected, wherever they lie and however many honest members turn up.
    function testFuzz_winnerOf_neverRejectsTheHonestForAMinority(uint256 random, uint256 size, uint256 hostile)
        public
        pure
    {
        size = 2 * bound(size, 1, 15) + 1;
        uint256 quorum = Tally.quorum(size, random % 2 == 1);
        hostile = bound(hostile, 0, quorum - 1);
        uint256 honest = bound(uint256(keccak256(abi.encode(random))), 0, size - hostile);
        // The tightest that the registry takes.
        uint8 accept = uint8(random % 11);
        bytes32[] memory digests = new bytes32[](honest + hostile);
        for (uint256 i; i < digests.length; ++i) {
            // Two honest digests are at most twice half of accept apart; hostile ones crowd the edges.
            uint256 most = i < honest ? accept / 2 : [12, 24, 40, 64][random % 4];
            digests[i] = drift(HONEST, uint256(keccak256(abi.encode(random, i))), most);
        }

        (uint256 support, uint256 winner) = Tally.winnerOf(same(accept), quorum, digests);

        if (honest >= quorum) assertGe(support, quorum);
        for (uint256 i; support > 0 && i < honest; ++i) {
            assertTrue(Digests.within(Digests.apart(digests[winner], digests[i]), same(2 * accept)));
        }
    }

    /// @dev What the inequality is for: five hostile digests pull the winner away, and still nobody honest is rejected.
    function test_winnerOf_leavesAnHonestOutlierUnslashedWhenTheHostilePullAway() public pure {
        bytes32[] memory digests = new bytes32[](7);
        bytes32 d = flip(HONEST, 0, 0x3f);
        for (uint256 i; i < 3; ++i) {
            digests[i] = HONEST;
        }
        digests[3] = flip(HONEST, 0, 0x3f000);
        digests[4] = d;
        digests[5] = digests[6] = flip(d, 0, 0xfc0);

        (uint256 support, uint256 winner) = Tally.winnerOf(same(6), 4, digests);

        assertEq(support, 6);
        assertEq(winner, 4);
        assertEq(Digests.distances(d, digests[3])[0], 12);
        IGenerationOracle.Zone zone = Digests.zone(same(6), same(12), d, digests[3]);
        assertEq(uint8(zone), uint8(IGenerationOracle.Zone.Grey));
    }

    // -------------------------------------------------------------------------------------------------------------- order

    function testFuzz_winnerOf_doesNotDependOnTheOrder(uint256 random, uint256 size) public pure {
        size = 2 * bound(size, 1, 7) + 1;
        bytes32[] memory digests = new bytes32[](size);
        for (uint256 i; i < size; ++i) {
            digests[i] = drift(HONEST, uint256(keccak256(abi.encode(random, i))), 8);
        }
        (uint256 support, uint256 winner) = Tally.winnerOf(same(10), size / 2 + 1, digests);

        bytes32[] memory shuffled = shuffle(digests, random);
        (uint256 again, uint256 other) = Tally.winnerOf(same(10), size / 2 + 1, shuffled);

        assertEq(again, support);
        if (support > 0) assertEq(shuffled[other], digests[winner]);
    }

    function test_winnerOf_isTheOneThatMostAccept() public pure {
        bytes32[] memory digests = new bytes32[](3);
        (digests[0], digests[1], digests[2]) = (flip(HONEST, 1, 0x3ff), HONEST, flip(HONEST, 1, 0xffc00));

        (uint256 support, uint256 winner) = Tally.winnerOf(same(10), 2, digests);

        assertEq(support, 3);
        assertEq(winner, 1);
    }

    function test_winnerOf_givesATieToTheSmallerDistance() public pure {
        bytes32[] memory digests = new bytes32[](3);
        (digests[0], digests[1], digests[2]) = (flip(HONEST, 1, 0x1f), HONEST, flip(HONEST, 1, 0x3e0));

        (uint256 support, uint256 winner) = Tally.winnerOf(same(10), 2, digests);

        assertEq(support, 3);
        assertEq(winner, 1);
    }

    function test_winnerOf_givesATieOfEqualsToTheSmallerDigest() public pure {
        bytes32[] memory digests = new bytes32[](2);
        (digests[0], digests[1]) = (bytes32(uint256(3)), bytes32(uint256(2)));

        (uint256 support, uint256 winner) = Tally.winnerOf(same(10), 2, digests);

        assertEq(support, 2);
        assertEq(winner, 1);
    }

    // ------------------------------------------------------------------------------------------------------------- quorum

    function testFuzz_quorum_isMoreThanHalfOrTwoThirds(uint256 size) public pure {
        size = 2 * bound(size, 1, 15) + 1;
        uint256 half = Tally.quorum(size, false);
        assertGt(2 * half, size);
        assertLe(2 * (half - 1), size);
        uint256 thirds = Tally.quorum(size, true);
        assertGt(3 * thirds, 2 * size);
        assertLe(3 * (thirds - 1), 2 * size);
    }

    function testFuzz_winnerOf_needsTheQuorumOfTheCommittee(uint256 size, uint256 agreeing, bool superMajority)
        public
        pure
    {
        size = 2 * bound(size, 1, 15) + 1;
        agreeing = bound(agreeing, 0, size);
        bytes32[] memory digests = new bytes32[](agreeing);
        for (uint256 i; i < agreeing; ++i) {
            digests[i] = HONEST;
        }
        uint256 quorum = Tally.quorum(size, superMajority);

        (uint256 support,) = Tally.winnerOf(same(10), quorum, digests);

        assertEq(support, agreeing >= quorum ? agreeing : 0);
    }

    function test_winnerOf_nothingIsNobody() public pure {
        (uint256 support, uint256 winner) = Tally.winnerOf(same(10), 2, new bytes32[](0));
        assertEq(support, 0);
        assertEq(winner, 0);
    }

    // ------------------------------------------------------------------------------------------------------------ digests

    /// @dev Up to `most` bits turned over in each lane.
    function drift(bytes32 digest, uint256 random, uint256 most) internal pure returns (bytes32) {
        for (uint256 lane; lane < 4; ++lane) {
            for (uint256 i; i < most; ++i) {
                random = uint256(keccak256(abi.encode(random)));
                if (random & 64 != 0) digest ^= bytes32(uint256(1) << (64 * lane + random % 64));
            }
        }
        return digest;
    }

    function flip(bytes32 digest, uint256 lane, uint256 bits) internal pure returns (bytes32) {
        return digest ^ bytes32(bits << (64 * (3 - lane)));
    }

    function shuffle(bytes32[] memory digests, uint256 random) internal pure returns (bytes32[] memory shuffled) {
        shuffled = new bytes32[](digests.length);
        for (uint256 i; i < digests.length; ++i) {
            shuffled[i] = digests[i];
        }
        for (uint256 i; i < digests.length; ++i) {
            uint256 j = i + uint256(keccak256(abi.encode(random, "shuffle", i))) % (digests.length - i);
            (shuffled[i], shuffled[j]) = (shuffled[j], shuffled[i]);
        }
    }

    function same(uint8 bits) internal pure returns (uint256) {
        return Digests.lanes(bytes4(0x01010101 * uint32(bits)));
    }
}
