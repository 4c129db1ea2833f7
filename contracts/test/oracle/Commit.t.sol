// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract CommitTest is Protocol {
    bytes32 internal jobId;
    bytes32 internal drawSeed;
    IGenerationOracle.Vote[] internal members;

    function setUp() public override {
        super.setUp();
        jobId = requestAndDraw(3);
        drawSeed = oracle.job(jobId).drawSeed;
        IGenerationOracle.Vote[] memory drawn = oracle.votes(jobId);
        for (uint256 member; member < 3; ++member) {
            members.push(drawn[member]);
        }
    }

    function test_commit_storesTheCommitment() public {
        bytes32 hash = commitment(jobId, 0, DIGEST);

        vm.expectEmit();
        emit IGenerationOracle.Committed(jobId, members[0].seat, hash);
        commit(jobId, 0, DIGEST);

        IGenerationOracle.Vote memory vote = oracle.votes(jobId)[0];
        assertEq(uint8(vote.step), uint8(IGenerationOracle.Step.Committed));
        assertEq(vote.value, hash);
    }

    function test_commit_opensTheRevealOnceAllHaveCommitted() public {
        IGenerationOracle.JobView memory before = oracle.job(jobId);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);
        assertPhase(jobId, IGenerationOracle.Phase.Commit);

        commit(jobId, 2, DIGEST);

        assertPhase(jobId, IGenerationOracle.Phase.Reveal);
        assertEq(oracle.job(jobId).commitDeadline, before.commitDeadline);
        assertEq(oracle.job(jobId).revealDeadline, before.revealDeadline);
    }

    function test_commit_worksInTheLastSecond() public {
        vm.warp(oracle.job(jobId).commitDeadline - 1);
        commit(jobId, 0, DIGEST);
    }

    function test_commit_failsAfterTheDeadline() public {
        commit(jobId, 1, DIGEST);
        closeCommits(jobId);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Commit, IGenerationOracle.Phase.Reveal);
        vm.prank(members[0].operator);
        oracle.commit(jobId, 0, drawSeed, "commitment");
    }

    function test_commit_failsBeforeTheDraw() public {
        bytes32 undrawn = request(3);

        expectWrongPhase(undrawn, IGenerationOracle.Phase.Commit, IGenerationOracle.Phase.Requested);
        oracle.commit(undrawn, 0, drawSeed, "commitment");
    }

    function test_commit_failsForAnybodyButTheOperator() public {
        address owner = ownerOf(members[0].seat);
        address[4] memory callers = [stranger, owner, requester, members[1].operator];
        for (uint256 i; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, jobId, 0, callers[i]));
            vm.prank(callers[i]);
            oracle.commit(jobId, 0, drawSeed, "commitment");
        }
    }

    function testFuzz_commit_failsForASeatThatWasNotDrawn(uint256 member) public {
        member = bound(member, 3, type(uint256).max);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, jobId, member, stranger));
        vm.prank(stranger);
        oracle.commit(jobId, member, drawSeed, "commitment");
    }

    function test_commit_isWrittenOnce() public {
        commit(jobId, 0, DIGEST);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, jobId, members[0].seat));
        vm.prank(members[0].operator);
        oracle.commit(jobId, 0, drawSeed, "another");
    }

    function test_commit_failsAfterDeclining() public {
        decline(jobId, 0);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, jobId, members[0].seat));
        vm.prank(members[0].operator);
        oracle.commit(jobId, 0, drawSeed, "commitment");
    }

    function test_commit_failsIfEmpty() public {
        vm.expectRevert(IGenerationOracle.EmptyCommitment.selector);
        vm.prank(members[0].operator);
        oracle.commit(jobId, 0, drawSeed, 0);
    }

    function test_commit_failsIfItAnswersTheDrawOfAnotherFork() public {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.OtherDraw.selector, bytes32("other fork"), drawSeed));
        vm.prank(members[0].operator);
        oracle.commit(jobId, 0, "other fork", "commitment");
    }

    function test_commit_isTheOldOperatorsIfTheOwnerNamesAnother() public {
        address owner = ownerOf(members[0].seat);
        vm.prank(owner);
        stakes.setOperator(modelId, members[0].seat, stranger);

        commit(jobId, 0, DIGEST);

        assertEq(oracle.votes(jobId)[0].operator, members[0].operator);
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
}
