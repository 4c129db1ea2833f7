// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice How far a round has come.
enum Stage {
    None,
    /// Paid for, and not drawn.
    Opened,
    Drawn,
    Settled,
    /// Settled, and its consumer called. First rounds only.
    Delivered
}

/// @notice All that storage knows of a round: one word.
struct RoundState {
    /// Of the randomness while the round waits for its draw; then the hash of the `Round`; once settled, the hash of the
    /// job's `Verdict`. Cut to 136 bits: to pass off another round or verdict somebody would have to try 2^136 of them, or,
    /// by choosing a round's operator and drawer, 2^68 between the seed and the draw.
    bytes17 hash;
    /// Seconds since the epoch: the draw deadline; the commit deadline from the draw on; the time of the last opening once
    /// all are opened.
    uint40 clock;
    /// A bit for each member. Neither: it may still commit. `voted`: it has committed. Both: it has revealed. `done` alone:
    /// it takes no part, as all bits above the committee say.
    uint32 voted;
    uint32 done;
    Stage stage;
    /// Of first rounds: the number of the job's latest round.
    uint8 latest;
}

/// @notice Reads a round's phase off the clock, so that nobody has to send a transaction to advance it.
///
/// Phases only move forward. Bits are only set: `voted` in Commit, `done` in Commit (without a vote) and Reveal (with
/// one). A deadline is set at the draw; what ends a phase before it is that nobody is left to act.
library Rounds {
    uint32 private constant ALL = type(uint32).max;
    uint8 internal constant MOST_ROUNDS = 4;

    function draw(RoundState memory self, IGenerationOracle.Round memory round, uint32 members, uint32 commitWindow)
        internal
        view
    {
        self.stage = Stage.Drawn;
        self.hash = hashOf(round);
        self.done = ~members;
        self.clock = uint40(block.timestamp) + (members == 0 ? 0 : commitWindow);
    }

    function hashOf(IGenerationOracle.Round memory round) internal pure returns (bytes17) {
        return bytes17(keccak256(abi.encode(round)));
    }

    function hashOf(IGenerationOracle.Verdict memory verdict) internal pure returns (bytes17) {
        return bytes17(keccak256(abi.encode(verdict)));
    }

    // ---------------------------------------------------------------------------------------------------------- phases

    function mayCommit(RoundState memory self) internal view returns (bool) {
        return self.stage == Stage.Drawn && undecided(self) && block.timestamp < self.clock;
    }

    function mayReveal(RoundState memory self, uint32 revealWindow) internal view returns (bool) {
        if (self.stage != Stage.Drawn || !unopened(self)) return false;
        bool open = !undecided(self) || block.timestamp >= self.clock;
        return open && block.timestamp < self.clock + revealWindow;
    }

    /// @notice When the votes were in, or the draw window was over; in the future as long as they are not.
    function closedAt(RoundState memory self, uint32 revealWindow) internal view returns (uint256) {
        bool waiting = self.stage == Stage.Drawn && unopened(self);
        return waiting ? uint256(self.clock) + revealWindow : self.clock;
    }

    function phase(RoundState memory self, uint32 revealWindow, uint32 appealWindow, uint8 number)
        internal
        view
        returns (IGenerationOracle.Phase)
    {
        if (self.stage == Stage.None) return IGenerationOracle.Phase.None;
        if (self.stage >= Stage.Settled) return IGenerationOracle.Phase.Settled;
        if (self.stage == Stage.Opened && block.timestamp < self.clock) return IGenerationOracle.Phase.Requested;
        if (self.stage == Stage.Opened && number == 1) return IGenerationOracle.Phase.Expired;
        if (mayCommit(self)) return IGenerationOracle.Phase.Commit;
        if (mayReveal(self, revealWindow)) return IGenerationOracle.Phase.Reveal;
        bool last = number == MOST_ROUNDS || block.timestamp >= closedAt(self, revealWindow) + appealWindow;
        return last ? IGenerationOracle.Phase.Settle : IGenerationOracle.Phase.Appeal;
    }

    // ----------------------------------------------------------------------------------------------------------- votes

    function stepOf(RoundState memory self, uint256 member) internal pure returns (IGenerationOracle.Step) {
        bool voted = self.voted & bit(member) != 0;
        bool done = self.done & bit(member) != 0;
        if (voted) return done ? IGenerationOracle.Step.Revealed : IGenerationOracle.Step.Committed;
        return done ? IGenerationOracle.Step.Out : IGenerationOracle.Step.Drawn;
    }

    function commit(RoundState memory self, uint256 member) internal pure {
        self.voted |= bit(member);
    }

    function decline(RoundState memory self, uint256 member) internal view {
        self.done |= bit(member);
        if (!undecided(self) && !unopened(self)) self.clock = uint40(block.timestamp);
    }

    function reveal(RoundState memory self, uint256 member) internal view {
        self.done |= bit(member);
        if (!unopened(self)) self.clock = uint40(block.timestamp);
    }

    /// @dev Somebody may still commit.
    function undecided(RoundState memory self) private pure returns (bool) {
        return self.voted | self.done != ALL;
    }

    /// @dev Somebody has committed and not revealed.
    function unopened(RoundState memory self) private pure returns (bool) {
        return self.voted & ~self.done != 0;
    }

    function bit(uint256 member) private pure returns (uint32) {
        return uint32(1 << member);
    }
}
