// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {Digests} from "./Digests.sol";
import {Members} from "./Members.sol";
import {Standing, Standings} from "./Standings.sol";
import {Tally} from "./Tally.sol";

/// @notice What the votes of a round come to: the verdict, and what it means for each member. Pure.
library Rulings {
    using Members for IGenerationOracle.Member;

    /// @notice A round's votes. `digests` holds the revealed ones, in the order of the committee.
    struct Ballot {
        IGenerationOracle.Member[] members;
        IGenerationOracle.Step[] steps;
        bytes32[] digests;
        /// Seats that the committee should have.
        uint256 size;
    }

    /// @notice The verdict of a round on its own.
    function verdictOf(Ballot memory ballot, IGenerationOracle.Job memory job, uint8 number)
        internal
        pure
        returns (IGenerationOracle.Verdict memory verdict)
    {
        uint256 quorum = Tally.quorum(ballot.size, job.terms.superMajority);
        (uint256 support, uint256 winner) = Tally.winnerOf(Digests.lanes(job.accept), quorum, ballot.digests);

        (verdict.round, verdict.safeValue) = (number, safeValue(job));
        verdict.outcome = IGenerationOracle.Outcome.Unresolved;
        if (support == 0) return verdict;

        verdict.outcome = IGenerationOracle.Outcome.Accepted;
        (verdict.digest, verdict.supporters) = (ballot.digests[winner], uint8(support));
    }

    /// @notice Whether two verdicts of a job say the same.
    function same(
        IGenerationOracle.Job memory job,
        IGenerationOracle.Verdict memory a,
        IGenerationOracle.Verdict memory b
    ) internal pure returns (bool) {
        if (a.outcome != b.outcome) return false;
        if (a.outcome != IGenerationOracle.Outcome.Accepted) return true;
        return Digests.within(Digests.apart(a.digest, b.digest), Digests.lanes(job.accept));
    }

    /// @notice What `judge` makes of each member.
    function standings(Ballot memory ballot, IGenerationOracle.Job memory job, IGenerationOracle.Verdict memory judge)
        internal
        pure
        returns (Standing[] memory all)
    {
        (uint256 accept, uint256 reject) = (Digests.lanes(job.accept), Digests.lanes(job.reject));
        all = new Standing[](ballot.members.length);
        uint256 next;
        for (uint256 i; i < all.length; ++i) {
            if (ballot.steps[i] != IGenerationOracle.Step.Revealed) {
                bool excused = ballot.members[i].isExcused();
                all[i] = Standings.ofUnrevealed(ballot.steps[i], excused, ballot.digests.length > 0);
            } else if (judge.outcome != IGenerationOracle.Outcome.Accepted) {
                all[i] = Standing.Unjudged;
            } else {
                IGenerationOracle.Zone zone = Digests.zone(accept, reject, judge.digest, ballot.digests[next++]);
                all[i] = Standings.ofZone(zone, job.terms.fixedSeed);
            }
        }
    }

    /// @notice See `IGenerationOracle.safeValueOf`.
    function safeValue(IGenerationOracle.Job memory job) internal pure returns (uint256) {
        bool staffed = job.poolSeats >= 3 * uint256(sizeOf(job.terms.committeeSize, 2));
        if (job.terms.fixedSeed || !staffed) return 0;
        return Tally.quorum(job.terms.committeeSize, job.terms.superMajority) * job.bond * 7 / 10;
    }

    /// @notice Seats of a round's committee: `2n + 1` after n, at most 31.
    function sizeOf(uint8 first, uint8 number) internal pure returns (uint8 size) {
        size = first;
        for (uint8 i = 1; i < number; ++i) {
            size = size > 15 ? 31 : 2 * size + 1;
        }
    }
}
