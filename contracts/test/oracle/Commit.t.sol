// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {stdError} from "forge-std/StdError.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Protocol} from "../Protocol.t.sol";

contract CommitTest is Protocol {
    using Members for IGenerationOracle.Member;

    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        jobId = requestAndDraw(3);
    }

    function test_commit_storesTheCommitment() public {
        bytes32 hash = commitment(jobId, 1, DIGEST);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Committed(jobId, 1, 1, hash);
        commit(jobId, 1, DIGEST);

        assertEq(oracle.voteOf(roundOf(jobId).members[1].slot()), sealOf(jobId, 1, DIGEST));
        assertEq(oracle.stateOf(jobId, 1).voted, 2);
        assertEq(uint8(lens.stepsOf(jobId, roundOf(jobId))[1]), uint8(IGenerationOracle.Step.Committed));
    }

    function test_commit_opensTheRevealOnceAllHaveCommitted() public {
        uint40 deadline = oracle.stateOf(jobId, 1).clock;
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);
        assertPhase(jobId, IGenerationOracle.Phase.Commit);

        commit(jobId, 2, DIGEST);

        assertPhase(jobId, IGenerationOracle.Phase.Reveal);
        assertEq(oracle.stateOf(jobId, 1).clock, deadline);
        assertEq(lens.roundOf(jobOf(jobId)).deadline, deadline + REVEAL_WINDOW);
    }

    function test_commit_usesASlotOfASeatAgain() public {
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        closeAppeals(jobId);
        settle(jobId);

        bytes32 next = requestAndDraw(3);
        commit(next, 0, DIGEST);

        IGenerationOracle.Member member = roundOf(next).members[0];
        assertEq(member.place(), 0);
        assertEq(oracle.voteOf(member.slot()), sealOf(next, 0, DIGEST));
    }

    // ---------------------------------------------------------------------------------------------------------- the times

    function test_commit_worksInTheLastSecond() public {
        vm.warp(oracle.stateOf(jobId, 1).clock - 1);
        commit(jobId, 0, DIGEST);
    }

    function test_commit_failsAfterTheDeadline() public {
        commit(jobId, 1, DIGEST);
        vm.warp(oracle.stateOf(jobId, 1).clock);
        fails(0, operatorOfMember(0), wrongPhase());
    }

    function test_commit_failsBeforeTheDraw() public {
        bytes32 undrawn = request(3);
        IGenerationOracle.Round memory round = roundOf(jobId);

        expectWrongPhase(IGenerationOracle.Phase.Commit);
        oracle.commit(undrawn, round, 0, "commitment");
    }

    function test_commit_failsOnceSettled() public {
        closeAppeals(jobId);
        settle(jobId);
        fails(0, operatorOfMember(0), wrongPhase());
    }

    // ---------------------------------------------------------------------------------------------------------- the voter

    function test_commit_failsForAnybodyButTheOperator() public {
        address owner = ownerOf(roundOf(jobId).members[0].seat());
        address[4] memory callers = [stranger, owner, requester, operatorOfMember(1)];
        for (uint256 i; i < callers.length; ++i) {
            fails(0, callers[i], abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, 0, callers[i]));
        }
    }

    function testFuzz_commit_failsForASeatThatWasNotDrawn(uint256 member) public {
        fails(bound(member, 3, type(uint256).max), stranger, stdError.indexOOBError);
    }

    function test_commit_isWrittenOnce() public {
        commit(jobId, 0, DIGEST);
        fails(0, operatorOfMember(0), abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, 0));
    }

    function test_commit_failsAfterDeclining() public {
        decline(jobId, 0);
        fails(0, operatorOfMember(0), abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, 0));
    }

    function test_commit_isTheOldOperatorsIfTheOwnerNamesAnother() public {
        uint32 seat = roundOf(jobId).members[0].seat();
        vm.prank(ownerOf(seat));
        stakes.setOperator(modelId, seat, stranger);

        fails(0, stranger, abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, 0, stranger));
        commit(jobId, 0, DIGEST);
    }

    function test_commit_servesEverySeatOfOneOperator() public {
        for (uint32 seat; seat < 5; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.setOperator(modelId, seat, stranger);
        }
        bytes32 own = requestAndDraw(3);

        for (uint256 member; member < 3; ++member) {
            commit(own, member, DIGEST);
        }

        assertPhase(own, IGenerationOracle.Phase.Reveal);
    }

    // ----------------------------------------------------------------------------------------------------------- the round

    /// @dev What the node generated from is not what the chain drew.
    function test_commit_failsIfAReorganisationChangedTheDraw() public {
        uint256 fork = vm.snapshotState();
        bytes32 next = request(3);
        draw(next);
        bytes memory answered = abi.encode(roundOf(next));
        vm.revertToState(fork);

        assertEq(request(3), next);
        seed(next);
        IGenerationOracle.Job memory job = jobOf(next);
        uint64 id = lens.roundOf(job).randomnessId;
        bytes memory header = HeaderFixtures.encode(id, "of the other fork");
        vm.setBlockhash(id, keccak256(header));
        oracle.draw(job, header);

        IGenerationOracle.Round memory round = abi.decode(answered, (IGenerationOracle.Round));
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, next, 1));
        vm.prank(round.members[0].operator());
        oracle.commit(next, round, 0, "commitment");
    }

    function testFuzz_commit_failsIfAnythingOfTheRoundIsAnother(uint256 part) public {
        IGenerationOracle.Round memory round = roundOf(jobId);
        part = bound(part, 0, 2);
        if (part == 0) round.drawSeed = ~round.drawSeed;
        if (part == 1) round.members[2] = round.members[1];
        if (part == 2) round.members = new IGenerationOracle.Member[](0);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, jobId, 1));
        oracle.commit(jobId, round, 0, "commitment");
    }

    function test_commit_failsForARoundThatIsNotThere() public {
        IGenerationOracle.Round memory round = roundOf(jobId);
        round.number = 2;

        expectWrongPhase(IGenerationOracle.Phase.Commit);
        oracle.commit(jobId, round, 0, "commitment");
    }

    function operatorOfMember(uint256 member) internal view returns (address) {
        return roundOf(jobId).members[member].operator();
    }

    function wrongPhase() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IGenerationOracle.WrongPhase.selector, IGenerationOracle.Phase.Commit);
    }

    function fails(uint256 member, address caller, bytes memory error_) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.expectRevert(error_);
        vm.prank(caller);
        oracle.commit(jobId, round, member, "commitment");
    }
}
