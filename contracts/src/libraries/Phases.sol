// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @dev A job as it is stored: six slots, and two for each drawn seat.
struct Job {
    address requester;
    uint96 share;
    bytes32 modelId;
    bytes32 specHash;
    bytes32 specSeed;
    bytes32 drawSeed;
    uint40 requestBlock;
    /// In seconds since the epoch.
    uint40 requestTime;
    /// In seconds since the epoch; zero until the draw.
    uint40 drawnAt;
    uint32 poolSlots;
    uint8 committeeSize;
    bool fixedSeed;
    IGenerationOracle.Outcome outcome;
    /// Seats drawn.
    uint8 seats;
    /// Seats that have still to commit or decline.
    uint8 undecided;
    /// Seats that have committed and not revealed.
    uint8 unopened;
    /// The member whose digest won.
    uint8 winner;
    mapping(uint256 member => IGenerationOracle.Vote) votes;
}

/// @notice Reads a job's phase off the clock, so that nobody has to send a transaction to advance it.
///
/// Phases only move forward: `undecided` only falls, and only in Commit; `unopened` rises only in Commit and falls only
/// in Reveal; deadlines follow from the draw and never change.
library Phases {
    function phase(Job storage job, IGenerationOracle.Windows memory windows)
        internal
        view
        returns (IGenerationOracle.Phase)
    {
        if (job.requestBlock == 0) return IGenerationOracle.Phase.None;
        if (job.outcome != IGenerationOracle.Outcome.Open) return IGenerationOracle.Phase.Closed;
        if (job.drawnAt == 0) return beforeDraw(job, windows);
        if (job.undecided > 0 && block.timestamp < commitDeadline(job, windows)) return IGenerationOracle.Phase.Commit;
        if (job.unopened > 0 && block.timestamp < revealDeadline(job, windows)) return IGenerationOracle.Phase.Reveal;
        return IGenerationOracle.Phase.Settle;
    }

    function beforeDraw(Job storage job, IGenerationOracle.Windows memory windows)
        private
        view
        returns (IGenerationOracle.Phase)
    {
        if (block.number <= seedBlock(job, windows)) return IGenerationOracle.Phase.Requested;
        if (block.number <= drawDeadline(job, windows)) return IGenerationOracle.Phase.Draw;
        return IGenerationOracle.Phase.Expired;
    }

    function seedBlock(Job storage job, IGenerationOracle.Windows memory windows) internal view returns (uint64) {
        return uint64(job.requestBlock) + windows.seedDelay;
    }

    function drawDeadline(Job storage job, IGenerationOracle.Windows memory windows) internal view returns (uint64) {
        return uint64(job.requestBlock) + windows.drawWindow;
    }

    /// @dev Zero until the draw, as is `revealDeadline`.
    function commitDeadline(Job storage job, IGenerationOracle.Windows memory windows) internal view returns (uint64) {
        return job.drawnAt == 0 ? 0 : uint64(job.drawnAt) + windows.commitWindow;
    }

    function revealDeadline(Job storage job, IGenerationOracle.Windows memory windows) internal view returns (uint64) {
        return job.drawnAt == 0 ? 0 : commitDeadline(job, windows) + windows.revealWindow;
    }
}
