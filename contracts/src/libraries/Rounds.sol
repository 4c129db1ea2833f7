// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice Reads a round's phase off the clock, so that nobody has to send a transaction to advance it.
///
/// Phases only move forward. Bits are only set: `voted` in Commit, `done` in Commit (without a vote) and Reveal (with
/// one). A deadline is set at the draw; what ends a phase before it is that nobody is left to act.
library Rounds {
    uint32 private constant ALL = type(uint32).max;
    uint8 internal constant MOST_ROUNDS = 4;

    function draw(
        IGenerationOracle.RoundState memory self,
        IGenerationOracle.Round memory round,
        uint32 members,
        uint32 commitWindow
    ) internal view {
        self.stage = IGenerationOracle.Stage.Drawn;
        self.hash = hashOf(round);
        self.done = ~members;
        self.clock = uint40(block.timestamp) + (members == 0 ? 0 : commitWindow);
    }

    function drawSeed(bytes32 random, bytes32 jobId, uint8 number) internal pure returns (bytes32) {
        return keccak256(abi.encode(random, jobId, number));
    }

    function hashOf(IGenerationOracle.Round memory round) internal pure returns (bytes17) {
        return bytes17(keccak256(abi.encode(round.number, round.drawSeed, round.members)));
    }

    /// @dev The same of calldata, where the words lie as they are encoded. Encoded otherwise, they have another hash.
    function hashOfDrawn(IGenerationOracle.Round calldata round) internal pure returns (bytes17 hash) {
        uint256 members = round.members.length;
        assembly ("memory-safe") {
            let words := mload(0x40)
            let size := add(0x80, shl(5, members))
            calldatacopy(words, round, size)
            hash := shl(120, shr(120, keccak256(words, size)))
        }
    }

    /// @dev Binds the job, so that two verdicts that some job could have are worth nothing to another.
    function hashOf(IGenerationOracle.Verdict memory verdict, bytes32 jobId) internal pure returns (bytes17) {
        return bytes17(keccak256(abi.encode(jobId, verdict)));
    }

    /// @dev The whole word at once, as the compiler lays it out; it would mask in one field after the other.
    function write(IGenerationOracle.RoundState storage self, IGenerationOracle.RoundState memory state) internal {
        uint256 word = uint136(state.hash) | (uint256(state.clock) << 136) | (uint256(state.voted) << 176)
            | (uint256(state.done) << 208) | (uint256(state.stage) << 240) | (uint256(state.latest) << 248);
        assembly ("memory-safe") {
            sstore(self.slot, word)
        }
    }

    // ---------------------------------------------------------------------------------------------------------- phases

    function mayCommit(IGenerationOracle.RoundState memory self) internal view returns (bool) {
        return self.stage == IGenerationOracle.Stage.Drawn && undecided(self) && block.timestamp < self.clock;
    }

    function mayReveal(IGenerationOracle.RoundState memory self, uint32 revealWindow) internal view returns (bool) {
        if (self.stage != IGenerationOracle.Stage.Drawn || !unopened(self)) return false;
        bool open = !undecided(self) || block.timestamp >= self.clock;
        return open && block.timestamp < self.clock + revealWindow;
    }

    /// @notice When the votes were in, or the draw window was over; in the future as long as they are not.
    function closedAt(IGenerationOracle.RoundState memory self, uint32 revealWindow) internal pure returns (uint256) {
        bool waiting = self.stage == IGenerationOracle.Stage.Drawn && unopened(self);
        return waiting ? uint256(self.clock) + revealWindow : self.clock;
    }

    function phase(IGenerationOracle.RoundState memory self, uint32 revealWindow, uint32 appealWindow, uint8 number)
        internal
        view
        returns (IGenerationOracle.Phase)
    {
        if (self.stage == IGenerationOracle.Stage.None) return IGenerationOracle.Phase.None;
        if (self.stage >= IGenerationOracle.Stage.Settled) return IGenerationOracle.Phase.Settled;
        if (self.stage == IGenerationOracle.Stage.Opened && block.timestamp < self.clock) {
            return IGenerationOracle.Phase.Requested;
        }
        if (self.stage == IGenerationOracle.Stage.Opened && number == 1) return IGenerationOracle.Phase.Expired;
        if (mayCommit(self)) return IGenerationOracle.Phase.Commit;
        if (mayReveal(self, revealWindow)) return IGenerationOracle.Phase.Reveal;
        bool last = number == MOST_ROUNDS || block.timestamp >= closedAt(self, revealWindow) + appealWindow;
        return last ? IGenerationOracle.Phase.Settle : IGenerationOracle.Phase.Appeal;
    }

    // ----------------------------------------------------------------------------------------------------------- votes

    function stepOf(IGenerationOracle.RoundState memory self, uint256 member)
        internal
        pure
        returns (IGenerationOracle.Step)
    {
        uint256 voted = (self.voted >> member) & 1;
        uint256 done = (self.done >> member) & 1;
        return IGenerationOracle.Step((voted << 1) | done);
    }

    /// @notice The members that have revealed, a bit for each.
    function revealed(IGenerationOracle.RoundState memory self) internal pure returns (uint256) {
        return self.voted & self.done;
    }

    /// @notice The members that have said nothing, a bit for each.
    function silent(IGenerationOracle.RoundState memory self) internal pure returns (uint256) {
        return ~(self.voted | self.done);
    }

    function commit(IGenerationOracle.RoundState memory self, uint256 member) internal pure {
        self.voted |= bit(member);
    }

    function decline(IGenerationOracle.RoundState memory self, uint256 member) internal view {
        self.done |= bit(member);
        if (!undecided(self) && !unopened(self)) self.clock = uint40(block.timestamp);
    }

    function reveal(IGenerationOracle.RoundState memory self, uint256 member) internal view {
        self.done |= bit(member);
        if (!unopened(self)) self.clock = uint40(block.timestamp);
    }

    /// @dev Somebody may still commit.
    function undecided(IGenerationOracle.RoundState memory self) private pure returns (bool) {
        return self.voted | self.done != ALL;
    }

    /// @dev Somebody has committed and not revealed.
    function unopened(IGenerationOracle.RoundState memory self) private pure returns (bool) {
        return self.voted & ~self.done != 0;
    }

    function bit(uint256 member) private pure returns (uint32) {
        return uint32(1 << member);
    }
}
