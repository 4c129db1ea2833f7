// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {Standing, Standings} from "./Standings.sol";
import {Tally} from "./Tally.sol";

/// @notice What a verdict means for each member of its committee. Pure.
library Rulings {
    struct Ruling {
        IGenerationOracle.Outcome outcome;
        /// The winning digest; zero unless accepted.
        bytes32 digest;
        /// The first member that revealed it.
        uint256 winner;
        /// By member.
        Standing[] standings;
    }

    function rule(
        IGenerationOracle.Vote[] memory votes,
        IGenerationOracle.Terms memory terms,
        IModelRegistry.ToleranceProfile memory profile
    ) internal pure returns (Ruling memory ruling) {
        (bytes32[] memory digests, uint256[] memory members) = revealed(votes);
        (bool accepted, uint256 winner, IGenerationOracle.Zone[] memory zones) =
            Tally.verdict(profile, terms.committeeSize, digests);

        ruling.standings = Standings.ofUnrevealed(votes, digests.length > 0);
        for (uint256 i; i < members.length; ++i) {
            ruling.standings[members[i]] = accepted ? Standings.ofZone(zones[i], terms.fixedSeed) : Standing.Unjudged;
        }
        ruling.outcome = IGenerationOracle.Outcome.Unresolved;
        if (!accepted) return ruling;

        ruling.outcome = IGenerationOracle.Outcome.Accepted;
        (ruling.digest, ruling.winner) = (digests[winner], members[winner]);
    }

    /// @notice The seats of the supporters.
    function supporters(Ruling memory self, IGenerationOracle.Vote[] memory votes)
        internal
        pure
        returns (uint32[] memory seats)
    {
        uint256 count;
        for (uint256 member; member < votes.length; ++member) {
            if (self.standings[member] == Standing.Supporter) ++count;
        }

        seats = new uint32[](count);
        uint256 next;
        for (uint256 member; member < votes.length; ++member) {
            if (self.standings[member] == Standing.Supporter) seats[next++] = votes[member].seat;
        }
    }

    /// @return digests the revealed ones, in the order of the committee
    /// @return members who revealed them
    function revealed(IGenerationOracle.Vote[] memory votes)
        private
        pure
        returns (bytes32[] memory digests, uint256[] memory members)
    {
        uint256 count;
        for (uint256 member; member < votes.length; ++member) {
            if (votes[member].step == IGenerationOracle.Step.Revealed) ++count;
        }

        (digests, members) = (new bytes32[](count), new uint256[](count));
        uint256 next;
        for (uint256 member; member < votes.length; ++member) {
            if (votes[member].step != IGenerationOracle.Step.Revealed) continue;
            (digests[next], members[next]) = (votes[member].value, member);
            ++next;
        }
    }
}
