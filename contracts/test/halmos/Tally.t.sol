// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Digests} from "../../src/libraries/Digests.sol";
import {Tally} from "../../src/libraries/Tally.sol";

/// @notice Proved for all inputs by `halmos`, tried on some by `forge test`. What is compared is gathered without branches:
/// each of them would double the paths.
contract TallySymbolicTest is Test {
    /// @dev What the winner is found by, written down once more.
    struct Rank {
        uint256 support;
        uint256 distance;
        uint256 digest;
    }

    /// @dev Any three digests and any tolerance: no digest precedes the winner, its support is what is said, and there is a
    /// winner exactly if some digest has a quorum, more than half of three or more than two thirds.
    function check_tally_ofThreeIsAsDefined(bytes4 accept, bytes32 a, bytes32 b, bytes32 c, bool superMajority)
        public
        pure
    {
        uint256 quorum = 2 + flag(superMajority);
        uint256 lanes = Digests.lanes(accept);
        (uint256 support, uint256 winner) = Tally.winnerOf(lanes, quorum, listOf(a, b, c));

        Rank[3] memory ranks = ranksOf(lanes, a, b, c);
        Rank memory best = ranks[winner];
        uint256 others = precedes(ranks[0], best) | precedes(ranks[1], best) | precedes(ranks[2], best);
        uint256 reached =
            flag(ranks[0].support >= quorum) | flag(ranks[1].support >= quorum) | flag(ranks[2].support >= quorum);
        if (support == 0) assert(reached == 0);
        else assert(reached & flag(support == best.support) & (1 - others) == 1);
    }

    function testFuzz_tally_ofThreeIsAsDefined(bytes4 accept, bytes32 a, bytes32 b, bytes32 c, bool superMajority)
        public
        pure
    {
        check_tally_ofThreeIsAsDefined(accept, a, b, c, superMajority);
        (b, c) = (near(b, a), near(c, a));
        check_tally_ofThreeIsAsDefined(accept, a, b, c, superMajority);
    }

    /// @dev What that definition says does not depend on the order: a digest's rank is the same in every order (neighbours
    /// change places, which makes every order), and of two different digests one precedes the other, never both. Two orders
    /// with different winners would each have a digest that precedes the other.
    function check_tally_definitionKnowsNoOrder(bytes4 accept, bytes32 a, bytes32 b, bytes32 c) public pure {
        uint256 lanes = Digests.lanes(accept);
        Rank[3] memory abc = ranksOf(lanes, a, b, c);
        Rank[3] memory acb = ranksOf(lanes, a, c, b);
        Rank[3] memory bac = ranksOf(lanes, b, a, c);
        uint256 right = same(abc[0], acb[0]) & same(abc[1], acb[2]) & same(abc[2], acb[1]);
        right &= same(abc[0], bac[1]) & same(abc[1], bac[0]) & same(abc[2], bac[2]);
        right &= flag(precedes(abc[0], abc[1]) ^ precedes(abc[1], abc[0]) == flag(a != b));
        assert(right == 1);
    }

    function testFuzz_tally_definitionKnowsNoOrder(bytes4 accept, bytes32 a, bytes32 b, bytes32 c) public pure {
        check_tally_definitionKnowsNoOrder(accept, a, b, c);
    }

    function testFuzz_tally_ofThreeDoesNotDependOnTheOrder(bytes4 accept, bytes32 a, bytes32 b, bytes32 c) public pure {
        (b, c) = (near(b, a), near(c, a));
        (uint256 support, bytes32 winner) = tally(accept, a, b, c);
        for (uint256 i; i < 2; ++i) {
            (b, c) = (c, b);
            checkTally(accept, a, b, c, support, winner);
            (a, b) = (b, a);
            checkTally(accept, a, b, c, support, winner);
        }
    }

    function checkTally(bytes4 accept, bytes32 a, bytes32 b, bytes32 c, uint256 support, bytes32 winner) internal pure {
        (uint256 support_, bytes32 winner_) = tally(accept, a, b, c);
        assert(support_ == support && winner_ == winner);
    }

    function tally(bytes4 accept, bytes32 a, bytes32 b, bytes32 c)
        internal
        pure
        returns (uint256 support, bytes32 winner)
    {
        bytes32[] memory digests = listOf(a, b, c);
        uint256 index;
        (support, index) = Tally.winnerOf(Digests.lanes(accept), 2, digests);
        if (support > 0) winner = digests[index];
    }

    function ranksOf(uint256 accept, bytes32 a, bytes32 b, bytes32 c) internal pure returns (Rank[3] memory ranks) {
        (uint256 ab, uint256 ac, uint256 bc) = (Digests.apart(b, a), Digests.apart(c, a), Digests.apart(c, b));
        (uint256 x, uint256 y, uint256 z) = (Digests.total(ab), Digests.total(ac), Digests.total(bc));
        ab = flag(Digests.within(ab, accept));
        ac = flag(Digests.within(ac, accept));
        bc = flag(Digests.within(bc, accept));
        unchecked {
            ranks[0] = Rank(1 + ab + ac, x + y, uint256(a));
            ranks[1] = Rank(1 + ab + bc, x + z, uint256(b));
            ranks[2] = Rank(1 + ac + bc, y + z, uint256(c));
        }
    }

    /// @dev Most digests that accept it, then the least distance from all, then the smallest digest.
    function precedes(Rank memory a, Rank memory b) internal pure returns (uint256) {
        uint256 nearer = flag(a.distance < b.distance) | (flag(a.distance == b.distance) & flag(a.digest < b.digest));
        return flag(a.support > b.support) | (flag(a.support == b.support) & nearer);
    }

    function same(Rank memory a, Rank memory b) internal pure returns (uint256) {
        return flag(a.support == b.support) & flag(a.distance == b.distance) & flag(a.digest == b.digest);
    }

    /// @dev `from`, changed in a few bits of each lane.
    function near(bytes32 digest, bytes32 from) internal pure returns (bytes32) {
        return
            from
                ^ (digest
                    & bytes32(uint256(0x1111) * 0x0000000000000001000000000000000100000000000000010000000000000001));
    }

    function listOf(bytes32 a, bytes32 b, bytes32 c) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }

    function flag(bool yes) internal pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := yes
        }
    }
}
