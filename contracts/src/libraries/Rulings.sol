// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {Digests} from "./Digests.sol";
import {Rounds} from "./Rounds.sol";
import {Standing, Standings} from "./Standings.sol";
import {Tally} from "./Tally.sol";

/// @notice What the votes of a round come to: the winner, and what that means for each member. Pure.
library Rulings {
    using Rounds for IGenerationOracle.RoundState;
    using Standings for Standing;

    /// @notice A round's votes.
    struct Ballot {
        IGenerationOracle.RoundState state;
        /// Of the committee.
        uint256 size;
        /// A bit for each member that is excused.
        uint256 excused;
        /// Those that were revealed, in the order of the committee.
        bytes32[] digests;
    }

    /// @notice What of a job decides about a round.
    struct Rules {
        /// Distances, spread over the lanes (`Digests.lanes`).
        uint256 accept;
        uint256 reject;
        /// Of the round.
        uint256 quorum;
        uint96 share;
        uint96 bond;
        bool fixedSeed;
    }

    /// @notice What a round comes to in money, by member and in all, in wei.
    struct Bill {
        uint96[] earned;
        uint96[] lost;
        uint256 totalEarned;
        uint256 totalLost;
        /// The part of `totalLost` that is bonds.
        uint256 slashed;
    }

    function rulesOf(IGenerationOracle.Job memory job, uint8 number) internal pure returns (Rules memory) {
        return Rules({
            accept: Digests.lanes(job.accept),
            reject: Digests.lanes(job.reject),
            quorum: Tally.quorum(sizeOf(job.terms.committeeSize, number), job.terms.superMajority),
            share: job.terms.share,
            bond: job.bond,
            fixedSeed: job.terms.fixedSeed
        });
    }

    /// @notice The winner of a round on its own.
    /// @return digest zero if there is none
    /// @return supporters seats that it accepts; zero if there is no winner
    function winnerOf(Rules memory rules, Ballot memory ballot)
        internal
        pure
        returns (bytes32 digest, uint256 supporters)
    {
        uint256 winner;
        (supporters, winner) = Tally.winnerOf(rules.accept, rules.quorum, ballot.digests);
        if (supporters > 0) digest = ballot.digests[winner];
    }

    /// @notice The last round: its winner, and what it comes to.
    function decide(Rules memory rules, Ballot memory ballot)
        internal
        pure
        returns (bytes32 digest, uint256 supporters, Bill memory bill)
    {
        (digest, supporters) = winnerOf(rules, ballot);
        bill = billOf(rules, ballot, supporters > 0, digest);
    }

    /// @notice An earlier round, in the light of the last one's verdict.
    /// @param accepted whether that has a winner, `last`
    /// @return changed whether it is another one than the round's own
    function review(Rules memory rules, Ballot memory ballot, bool accepted, bytes32 last)
        internal
        pure
        returns (bool changed, Bill memory bill)
    {
        (bytes32 own, uint256 supporters) = winnerOf(rules, ballot);
        bool had = supporters > 0;
        changed = had != accepted || (had && !Digests.within(Digests.apart(own, last), rules.accept));
        bill = billOf(rules, ballot, accepted, changed ? last : own);
    }

    function billOf(Rules memory rules, Ballot memory ballot, bool accepted, bytes32 winner)
        private
        pure
        returns (Bill memory bill)
    {
        (bill.earned, bill.lost) = (new uint96[](ballot.size), new uint96[](ballot.size));
        uint256 revealed;
        for (uint256 i; i < ballot.size; ++i) {
            IGenerationOracle.Step step = ballot.state.stepOf(i);
            bool opened = step == IGenerationOracle.Step.Revealed;
            if (!opened) enter(bill, i, unrevealed(ballot, i, step), rules);
            else enter(bill, i, judged(rules, accepted, winner, ballot.digests[revealed++]), rules);
        }
    }

    function enter(Bill memory bill, uint256 i, Standing standing, Rules memory rules) private pure {
        uint96 earned = standing.earned(rules.share);
        uint96 lost = standing.lost(rules.share, rules.bond);
        (bill.earned[i], bill.lost[i]) = (earned, lost);
        // 31 amounts of 96 bits.
        unchecked {
            bill.totalEarned += earned;
            bill.totalLost += lost;
            if (standing.isSlashed()) bill.slashed += lost;
        }
    }

    function unrevealed(Ballot memory ballot, uint256 i, IGenerationOracle.Step step) private pure returns (Standing) {
        return Standings.ofUnrevealed(step, (ballot.excused >> i) & 1 == 1, ballot.digests.length > 0);
    }

    function judged(Rules memory rules, bool accepted, bytes32 winner, bytes32 digest) private pure returns (Standing) {
        if (!accepted) return Standing.Unjudged;
        return Standings.ofZone(Digests.zone(rules.accept, rules.reject, winner, digest), rules.fixedSeed);
    }

    /// @notice Shortens an array.
    function cut(bytes32[] memory words, uint256 length) internal pure {
        assembly ("memory-safe") {
            mstore(words, length)
        }
    }

    /// @notice See `IGenerationLens.safeValueOf`.
    function safeValue(IGenerationOracle.Job memory job) internal pure returns (uint256) {
        if (job.terms.fixedSeed || isText(job) || isSmall(job) || hasHoles(job)) return 0;
        return Tally.quorum(job.terms.committeeSize, job.terms.superMajority) * job.bond * 7 / 10;
    }

    /// @notice Whether nothing that differs is ever rejected, and so nobody slashed for it.
    function isText(IGenerationOracle.Job memory job) internal pure returns (bool) {
        return job.reject == Digests.NEVER;
    }

    /// @notice Whether the pool at the request could not staff the second round three times over.
    function isSmall(IGenerationOracle.Job memory job) internal pure returns (bool) {
        return job.poolSeats < 3 * uint256(sizeOf(job.terms.committeeSize, 2));
    }

    /// @notice Whether so many of the pool's slots were empty, left or too young at the request that a draw, which
    /// looks at a bounded number of slots, might come out short.
    function hasHoles(IGenerationOracle.Job memory job) internal pure returns (bool) {
        return job.poolSlots > 2 * uint256(job.poolSeats);
    }

    /// @notice Seats of a round's committee: `2n + 1` after n, at most 31.
    function sizeOf(uint8 first, uint8 number) internal pure returns (uint8 size) {
        size = first;
        for (uint8 i = 1; i < number; ++i) {
            size = size > 15 ? 31 : 2 * size + 1;
        }
    }
}
