// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Votes} from "../../src/libraries/Votes.sol";
import {Protocol} from "../Protocol.t.sol";

contract RevealTest is Protocol {
    using Members for IGenerationOracle.Member;

    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        jobId = requestAndDraw(3);
    }

    function test_reveal_storesTheDigest() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Revealed(jobId, 1, 0, DIGEST, contentHashOf(0));
        reveal(jobId, 0, DIGEST);

        assertEq(oracle.voteOf(roundOf(jobId).members[0].slot()), DIGEST);
        assertEq(uint8(lens.stepsOf(jobId, roundOf(jobId))[0]), uint8(IGenerationOracle.Step.Revealed));
    }

    function test_reveal_mayBeSentByWhoeverKnowsTheSalt() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Round memory round = roundOf(jobId);

        vm.prank(stranger);
        oracle.reveal(jobId, 1, 0, round.members[0].slot(), openingOf(jobId, 0, DIGEST));
    }

    function testFuzz_reveal_takesAnyDigest(bytes32 digest) public {
        digest &= BITS;
        commitAll(jobId, three(digest, digest, digest));
        revealAll(jobId, three(digest, digest, digest));
        (bytes32 winner, uint256 supporters) = lens.winnerOf(jobOf(jobId), roundOf(jobId));
        assertEq(winner, digest);
        assertEq(supporters, 3);
    }

    // ---------------------------------------------------------------------------------------------------------- the times

    function test_reveal_opensTheAppealOnceAllAreOpen() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 2, DIGEST);
        reveal(jobId, 0, DIGEST);
        assertPhase(jobId, IGenerationOracle.Phase.Reveal);
        pass(7);

        reveal(jobId, 1, DIGEST);

        assertPhase(jobId, IGenerationOracle.Phase.Appeal);
        assertEq(lens.roundOf(jobOf(jobId)).deadline, vm.getBlockTimestamp() + APPEAL_WINDOW);
    }

    function test_reveal_failsWhileOthersMayStillCommit() public {
        commit(jobId, 0, DIGEST);
        fails(0, wrongPhase());
    }

    function test_reveal_opensWhenTheCommitWindowCloses() public {
        commit(jobId, 0, DIGEST);
        vm.warp(oracle.stateOf(jobId, 1).clock - 1);
        fails(0, wrongPhase());

        pass(1);
        reveal(jobId, 0, DIGEST);

        assertPhase(jobId, IGenerationOracle.Phase.Appeal);
    }

    /// @dev All have committed in the first second, and the reveal window is no shorter for it.
    function test_reveal_worksUntilTheDeadlineThatTheDrawSet() public {
        uint40 deadline = oracle.stateOf(jobId, 1).clock + REVEAL_WINDOW;
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 1, DIGEST);
        reveal(jobId, 2, DIGEST);

        vm.warp(deadline - 1);
        reveal(jobId, 0, DIGEST);
    }

    function test_reveal_failsAfterTheDeadline() public {
        uint40 deadline = oracle.stateOf(jobId, 1).clock + REVEAL_WINDOW;
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        vm.warp(deadline);

        fails(0, wrongPhase());
        assertPhase(jobId, IGenerationOracle.Phase.Appeal);
        assertEq(lens.roundOf(jobOf(jobId)).deadline, deadline + APPEAL_WINDOW);
    }

    function test_reveal_failsBeforeTheDraw() public {
        bytes32 undrawn = request(3);
        IGenerationOracle.Round memory round = roundOf(jobId);

        expectWrongPhase(IGenerationOracle.Phase.Reveal);
        oracle.reveal(undrawn, 1, 0, round.members[0].slot(), openingOf(jobId, 0, DIGEST));
    }

    // -------------------------------------------------------------------------------------------------------- the opening

    function test_reveal_ofACopiedCommitmentFails() public {
        commit(jobId, 0, DIGEST);
        commitAs(1, commitment(jobId, 0, DIGEST));
        closeCommits(jobId);
        reveal(jobId, 0, DIGEST);

        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, 1));
        oracle.reveal(jobId, 1, 1, round.members[1].slot(), openingOf(jobId, 0, DIGEST));
    }

    function test_reveal_ofACommitmentFromAnotherJobOrRoundFails() public {
        bytes32 other = requestAndDraw(3);
        uint32 seat = roundOf(jobId).members[0].seat();
        commitAs(0, oracle.commitmentOf(other, 1, seat, openingOf(jobId, 0, DIGEST)));
        seat = roundOf(jobId).members[1].seat();
        commitAs(1, oracle.commitmentOf(jobId, 2, seat, openingOf(jobId, 1, DIGEST)));
        closeCommits(jobId);

        fails(0, abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, 0));
        fails(1, abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, 1));
    }

    function testFuzz_reveal_failsUnlessEveryPartIsWhatWasCommitted(bytes32 digest, bytes32 content, bytes32 salt)
        public
    {
        vm.assume(digest != DIGEST || content != contentHashOf(0) || salt != saltOf(jobId, 0));
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Round memory round = roundOf(jobId);
        IGenerationOracle.Opening memory opening =
            IGenerationOracle.Opening({digest: digest, contentHash: content, salt: salt});

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, 0));
        oracle.reveal(jobId, 1, 0, round.members[0].slot(), opening);
    }

    function test_reveal_happensOnce() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 0, DIGEST);
        fails(0, abi.encodeWithSelector(IGenerationOracle.NotCommitted.selector, 0));
    }

    function test_reveal_failsWithoutACommitment() public {
        commit(jobId, 1, DIGEST);
        decline(jobId, 2);
        closeCommits(jobId);
        fails(0, abi.encodeWithSelector(IGenerationOracle.NotCommitted.selector, 0));
        fails(2, abi.encodeWithSelector(IGenerationOracle.NotCommitted.selector, 2));
    }

    function testFuzz_reveal_failsForASeatThatWasNotDrawn(uint256 member) public {
        member = bound(member, 3, type(uint256).max);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Round memory round = roundOf(jobId);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotCommitted.selector, member));
        oracle.reveal(jobId, 1, member, round.members[0].slot(), openingOf(jobId, 0, DIGEST));
    }

    function test_reveal_failsForTheSlotOfAnotherMember() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Round memory round = roundOf(jobId);

        for (uint256 member; member < 3; ++member) {
            uint256 other = round.members[(member + 1) % 3].slot();
            IGenerationOracle.Opening memory opening = openingOf(jobId, member, DIGEST);
            vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, member));
            oracle.reveal(jobId, 1, member, other, opening);
        }
    }

    /// @dev Member 0 would open its commitment to a digest that is the seal of member 1, and then, from the same slot,
    /// that one: member 1 would count as revealed, with a slot that holds no digest, and be slashed.
    function test_reveal_ofADigestThatIsASealFails() public {
        IGenerationOracle.Round memory round = roundOf(jobId);
        bytes32 own = oracle.commitmentOf(jobId, 1, round.members[0].seat(), openingOf(jobId, 1, DIGEST));
        bytes32 trap = Votes.seal(jobId, 1, 1, own);
        commit(jobId, 0, trap);
        commit(jobId, 1, DIGEST);
        closeCommits(jobId);

        IGenerationOracle.Opening memory opening = openingOf(jobId, 0, trap);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, 0));
        oracle.reveal(jobId, 1, 0, round.members[0].slot(), opening);
    }

    function commitAs(uint256 member, bytes32 hash) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.prank(round.members[member].operator());
        oracle.commit(jobId, round, member, hash);
    }

    function wrongPhase() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IGenerationOracle.WrongPhase.selector, IGenerationOracle.Phase.Reveal);
    }

    function fails(uint256 member, bytes memory error_) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.expectRevert(error_);
        oracle.reveal(jobId, 1, member, round.members[member].slot(), openingOf(jobId, member, DIGEST));
    }
}
