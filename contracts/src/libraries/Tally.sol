// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Digests} from "./Digests.sol";

/// @notice Finds the verdict of a committee. Pure, and independent of the order of the digests.
library Tally {
    /// @dev What is known of each digest once all pairs are compared.
    struct Rank {
        /// Digests that it accepts, itself included.
        uint256 support;
        /// Its distance from all digests, all lanes together.
        uint256 distance;
    }

    /// @notice "Within tolerance" is not transitive, so the winner is the digest that most digests accept; ties go to the
    /// smaller total distance, then to the smaller digest. It needs a quorum of the committee, whoever revealed.
    /// @param accept per lane, as `Digests.lanes` spreads it
    /// @param digests the revealed ones, in any order
    /// @return support digests that the winner accepts, itself included; 0 if no digest has a quorum
    /// @return winner its index in `digests`; the first of equal ones
    function winnerOf(uint256 accept, uint256 quorum_, bytes32[] memory digests)
        internal
        pure
        returns (uint256 support, uint256 winner)
    {
        if (digests.length < quorum_) return (0, 0);

        Rank[] memory ranks = compare(accept, digests);
        for (uint256 i = 1; i < digests.length; ++i) {
            if (precedes(ranks[i], digests[i], ranks[winner], digests[winner])) winner = i;
        }
        support = ranks[winner].support;
        if (support < quorum_) return (0, 0);
    }

    /// @notice More than half, or more than two thirds, of the committee.
    function quorum(uint256 committeeSize, bool superMajority) internal pure returns (uint256) {
        return superMajority ? 2 * committeeSize / 3 + 1 : committeeSize / 2 + 1;
    }

    /// @dev Distance is symmetric, so each pair is looked at once.
    function compare(uint256 accept, bytes32[] memory digests) private pure returns (Rank[] memory ranks) {
        ranks = new Rank[](digests.length);
        for (uint256 i; i < digests.length; ++i) {
            Rank memory mine = ranks[i];
            mine.support += 1;
            for (uint256 j; j < i; ++j) {
                Rank memory its = ranks[j];
                uint256 apart = Digests.apart(digests[i], digests[j]);
                uint256 distance = Digests.total(apart);
                mine.distance += distance;
                its.distance += distance;
                if (!Digests.within(apart, accept)) continue;

                mine.support += 1;
                its.support += 1;
            }
        }
    }

    function precedes(Rank memory a, bytes32 digestA, Rank memory b, bytes32 digestB) private pure returns (bool) {
        if (a.support != b.support) return a.support > b.support;
        if (a.distance != b.distance) return a.distance < b.distance;
        return digestA < digestB;
    }
}
