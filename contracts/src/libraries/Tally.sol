// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {Digests} from "./Digests.sol";

/// @notice Finds the verdict of a committee. Pure, and independent of the order of the digests.
library Tally {
    /// @dev What is known of each digest once all pairs are compared.
    struct Standing {
        /// Digests that it accepts, itself included.
        uint256 support;
        /// Its distance from all digests, all lanes together.
        uint256 distance;
    }

    /// @notice "Within tolerance" is not transitive, so the winner is the digest that most digests accept; ties go to the
    /// smaller total distance, then to the smaller digest. It needs the majority of the committee, whoever revealed.
    /// @param digests the revealed ones, in any order
    /// @return accepted whether there is a winner
    /// @return winner its index in `digests`; the first of equal ones
    /// @return zones how the winner sees each digest; empty unless accepted
    function verdict(IModelRegistry.ToleranceProfile memory profile, uint256 committeeSize, bytes32[] memory digests)
        internal
        pure
        returns (bool accepted, uint256 winner, IGenerationOracle.Zone[] memory zones)
    {
        if (digests.length < quorum(committeeSize)) return (false, 0, zones);

        Standing[] memory standings = compare(Digests.pack(profile.accept), digests);
        for (uint256 i = 1; i < digests.length; ++i) {
            if (precedes(standings[i], digests[i], standings[winner], digests[winner])) winner = i;
        }
        if (standings[winner].support < quorum(committeeSize)) return (false, 0, zones);

        zones = new IGenerationOracle.Zone[](digests.length);
        for (uint256 i; i < digests.length; ++i) {
            zones[i] = Digests.zone(profile, digests[winner], digests[i]);
        }
        return (true, winner, zones);
    }

    function quorum(uint256 committeeSize) internal pure returns (uint256) {
        return committeeSize / 2 + 1;
    }

    /// @dev Distance is symmetric, so each pair is looked at once.
    function compare(uint256 accept, bytes32[] memory digests) private pure returns (Standing[] memory standings) {
        standings = new Standing[](digests.length);
        for (uint256 i; i < digests.length; ++i) {
            Standing memory mine = standings[i];
            mine.support += 1;
            for (uint256 j; j < i; ++j) {
                Standing memory its = standings[j];
                uint256 lanes = Digests.apart(digests[i], digests[j]);
                uint256 distance = Digests.total(lanes);
                mine.distance += distance;
                its.distance += distance;
                if (!Digests.within(lanes, accept)) continue;

                mine.support += 1;
                its.support += 1;
            }
        }
    }

    function precedes(Standing memory a, bytes32 digestA, Standing memory b, bytes32 digestB)
        private
        pure
        returns (bool)
    {
        if (a.support != b.support) return a.support > b.support;
        if (a.distance != b.distance) return a.distance < b.distance;
        return digestA < digestB;
    }
}
