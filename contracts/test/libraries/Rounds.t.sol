// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Rounds} from "../../src/libraries/Rounds.sol";

contract RoundsTest is Test {
    using Rounds for IGenerationOracle.RoundState;

    uint32 internal constant COMMIT = 120;
    uint32 internal constant REVEAL = 60;
    uint32 internal constant APPEAL = 8;

    IGenerationOracle.RoundState private _stored;

    function setUp() public {
        vm.warp(1_800_000_000);
    }

    /// @dev Whatever members do: the phase never goes back, and nobody's time is cut short.
    function testFuzz_phase_onlyMovesForwardAndKeepsEveryDeadline(uint256 random, uint8 members) public {
        members = uint8(bound(members, 1, 31));
        IGenerationOracle.RoundState memory state = drawn(members);
        uint256 deadline = state.clock;
        IGenerationOracle.Phase last = phaseOf(state);
        for (uint256 i; i < 60; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            vm.warp(vm.getBlockTimestamp() + random % 8);
            checkTimes(state, (random >> 8) % members, deadline);
            act(state, (random >> 8) % members, (random >> 64) % 4);
            assertGe(uint8(phaseOf(state)), uint8(last));
            last = phaseOf(state);
        }
    }

    function checkTimes(IGenerationOracle.RoundState memory state, uint256 member, uint256 deadline) internal view {
        IGenerationOracle.Step step = state.stepOf(member);
        if (step == IGenerationOracle.Step.Drawn) assertEq(state.mayCommit(), block.timestamp < deadline);
        bool open = !state.mayCommit() && block.timestamp < deadline + REVEAL;
        if (step == IGenerationOracle.Step.Committed) assertEq(state.mayReveal(REVEAL), open);
    }

    function act(IGenerationOracle.RoundState memory state, uint256 member, uint256 choice) internal view {
        IGenerationOracle.Step step = state.stepOf(member);
        bool voter = step == IGenerationOracle.Step.Drawn && state.mayCommit();
        if (voter && choice == 0) state.decline(member);
        if (voter && choice > 0) state.commit(member);
        bool revealer = step == IGenerationOracle.Step.Committed && state.mayReveal(REVEAL);
        if (revealer && choice > 0) state.reveal(member);
    }

    function test_phase_ofAWaitingRound() public {
        IGenerationOracle.RoundState memory state;
        assertPhase(state, 1, IGenerationOracle.Phase.None);
        state.stage = IGenerationOracle.Stage.Opened;
        state.clock = uint40(block.timestamp + 60);
        vm.warp(block.timestamp + 59);
        assertPhase(state, 1, IGenerationOracle.Phase.Requested);
        assertPhase(state, 2, IGenerationOracle.Phase.Requested);
        vm.warp(state.clock);
        assertPhase(state, 1, IGenerationOracle.Phase.Expired);
        assertPhase(state, 2, IGenerationOracle.Phase.Appeal);
        assertPhase(state, 4, IGenerationOracle.Phase.Settle);
        vm.warp(state.clock + APPEAL - 1);
        assertPhase(state, 3, IGenerationOracle.Phase.Appeal);
        vm.warp(state.clock + APPEAL);
        assertPhase(state, 3, IGenerationOracle.Phase.Settle);
    }

    function test_phase_ofASettledRound() public view {
        IGenerationOracle.RoundState memory state;
        state.stage = IGenerationOracle.Stage.Settled;
        assertPhase(state, 1, IGenerationOracle.Phase.Settled);
        state.stage = IGenerationOracle.Stage.Delivered;
        assertPhase(state, 1, IGenerationOracle.Phase.Settled);
    }

    function test_draw_ofNobodyClosesAtOnce() public view {
        IGenerationOracle.RoundState memory state = drawn(0);
        assertEq(state.clock, block.timestamp);
        assertPhase(state, 1, IGenerationOracle.Phase.Appeal);
    }

    /// @dev An excused member is out from the start.
    function test_draw_leavesExcusedMembersOut() public view {
        IGenerationOracle.Round memory round;
        IGenerationOracle.RoundState memory state;
        state.draw(round, 5, COMMIT);
        assertEq(uint8(state.stepOf(0)), uint8(IGenerationOracle.Step.Drawn));
        assertEq(uint8(state.stepOf(1)), uint8(IGenerationOracle.Step.Out));
        assertEq(uint8(state.stepOf(2)), uint8(IGenerationOracle.Step.Drawn));
        assertEq(uint8(state.stepOf(3)), uint8(IGenerationOracle.Step.Out));
    }

    function testFuzz_hashOf_bindsEveryPartOfARound(uint256 part, bytes32 other) public pure {
        IGenerationOracle.Round memory round;
        round.members = new IGenerationOracle.Member[](2);
        bytes17 before = Rounds.hashOf(round);
        part = bound(part, 0, 2);
        if (part == 0) round.number = uint8(uint256(other) | 1);
        if (part == 1) round.drawSeed = other | bytes32(uint256(1));
        if (part == 2) round.members[1] = IGenerationOracle.Member.wrap(other | bytes32(uint256(1)));
        assertNotEq(Rounds.hashOf(round), before);
    }

    /// @dev Calldata is hashed as it lies; encoded in any other way than the usual one, a round has another hash.
    function testFuzz_hashOfDrawn_isTheSameOfCalldata(uint8 number, bytes32 seed, bytes32[] memory words) public view {
        IGenerationOracle.Round memory round =
            IGenerationOracle.Round({number: number, drawSeed: seed, members: Members.wrap(words)});
        bytes memory usual = abi.encodeCall(this.hashOfDrawn, (round));
        assertEq(this.hashOfDrawn(round), Rounds.hashOf(round));

        bytes memory unusual = abi.encodePacked(
            this.hashOfDrawn.selector, uint256(32), uint256(number), seed, uint256(128), uint256(0), words.length, words
        );
        (bool read, bytes memory hash) = address(this).staticcall(unusual);
        assertTrue(read);
        assertEq(unusual.length, usual.length + 32);
        assertNotEq(bytes17(hash), Rounds.hashOf(round));
    }

    function hashOfDrawn(IGenerationOracle.Round calldata round) external pure returns (bytes17) {
        return Rounds.hashOfDrawn(round);
    }

    /// @dev The word is the compiler's own, whatever it was before.
    function testFuzz_write_keepsEveryField(bytes17 hash, uint40 clock, uint64 bits, uint16 rest, uint256 before)
        public
    {
        IGenerationOracle.RoundState memory state = IGenerationOracle.RoundState({
            hash: hash,
            clock: clock,
            voted: uint32(bits),
            done: uint32(bits >> 32),
            stage: IGenerationOracle.Stage(rest % 5),
            latest: uint8(rest >> 8)
        });
        assembly ("memory-safe") {
            sstore(_stored.slot, before)
        }
        _stored.write(state);
        assertEq(abi.encode(_stored), abi.encode(state));
    }

    function drawn(uint256 members) internal view returns (IGenerationOracle.RoundState memory state) {
        IGenerationOracle.Round memory round;
        state.draw(round, uint32((1 << members) - 1), COMMIT);
    }

    function phaseOf(IGenerationOracle.RoundState memory state) internal view returns (IGenerationOracle.Phase) {
        return state.phase(REVEAL, APPEAL, 1);
    }

    function assertPhase(IGenerationOracle.RoundState memory state, uint8 number, IGenerationOracle.Phase expected)
        internal
        view
    {
        assertEq(uint8(state.phase(REVEAL, APPEAL, number)), uint8(expected));
    }
}
