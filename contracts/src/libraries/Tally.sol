// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Digests} from "./Digests.sol";

/// @notice Finds the verdict of a committee. Pure, and independent of the order of the digests.
library Tally {
    /// @dev More than any distance: a rank is `supporters * SUPPORTER - distance`, the distance that from all digests,
    /// all lanes together. The greater rank has more supporters or, of as many, the smaller distance.
    uint256 private constant SUPPORTER = 1 << 128;

    /// @notice "Within tolerance" is not transitive, so the winner is the digest that most digests accept; ties go to
    /// the smaller total distance, then to the smaller digest. It needs a quorum of the committee, whoever revealed.
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

        uint256[] memory ranks = compare(accept, digests);
        uint256 most;
        for (uint256 i; i < digests.length; ++i) {
            uint256 rank = ranks[i];
            if (rank < most || (rank == most && digests[i] >= digests[winner])) continue;
            (winner, most) = (i, rank);
        }
        support = (most + SUPPORTER - 1) / SUPPORTER;
        if (support < quorum_) return (0, 0);
    }

    /// @notice More than half, or more than two thirds, of the committee.
    function quorum(uint256 committeeSize, bool superMajority) internal pure returns (uint256) {
        return superMajority ? 2 * committeeSize / 3 + 1 : committeeSize / 2 + 1;
    }

    /// @dev Distance is symmetric, so each pair is looked at once. A digest supports itself, so that no rank is below
    /// zero.
    function compare(uint256 accept, bytes32[] memory digests) private pure returns (uint256[] memory ranks) {
        ranks = new uint256[](digests.length);
        for (uint256 i; i < digests.length; ++i) {
            bytes32 digest = digests[i];
            uint256 rank = SUPPORTER;
            for (uint256 j; j < i; ++j) {
                uint256 apart = Digests.apart(digest, digests[j]);
                unchecked {
                    uint256 change = (Digests.within(apart, accept) ? SUPPORTER : 0) - Digests.total(apart);
                    rank += change;
                    ranks[j] += change;
                }
            }
            ranks[i] = rank;
        }
    }
}
