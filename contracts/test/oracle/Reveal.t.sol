// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract RevealTest is Protocol {
    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        jobId = requestAndDraw(3);
    }

    function test_reveal_storesTheDigest() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        uint32 seat = oracle.votes(jobId)[0].seat;

        vm.expectEmit();
        emit IGenerationOracle.Revealed(jobId, seat, DIGEST, contentHashOf(0));
        reveal(jobId, 0, DIGEST);

        IGenerationOracle.Vote memory vote = oracle.votes(jobId)[0];
        assertEq(uint8(vote.step), uint8(IGenerationOracle.Step.Revealed));
        assertEq(vote.value, DIGEST);
    }

    function test_reveal_leadsToTheSettlementOnceAllAreOpen() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 2, DIGEST);
        reveal(jobId, 0, DIGEST);
        assertPhase(jobId, IGenerationOracle.Phase.Reveal);

        reveal(jobId, 1, DIGEST);

        assertPhase(jobId, IGenerationOracle.Phase.Settle);
    }

    function test_reveal_failsWhileOthersMayStillCommit() public {
        commit(jobId, 0, DIGEST);
        address operator = oracle.votes(jobId)[0].operator;

        expectWrongPhase(jobId, IGenerationOracle.Phase.Reveal, IGenerationOracle.Phase.Commit);
        vm.prank(operator);
        oracle.reveal(jobId, 0, DIGEST, contentHashOf(0), saltOf(jobId, 0));
    }

    function test_reveal_opensWhenTheCommitWindowCloses() public {
        commit(jobId, 0, DIGEST);
        closeCommits(jobId);

        reveal(jobId, 0, DIGEST);

        assertPhase(jobId, IGenerationOracle.Phase.Settle);
    }

    function test_reveal_worksInTheLastSecond() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        vm.warp(oracle.job(jobId).revealDeadline - 1);
        reveal(jobId, 0, DIGEST);
    }

    function test_reveal_failsAfterTheDeadline() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        closeReveals(jobId);
        address operator = oracle.votes(jobId)[0].operator;

        expectWrongPhase(jobId, IGenerationOracle.Phase.Reveal, IGenerationOracle.Phase.Settle);
        vm.prank(operator);
        oracle.reveal(jobId, 0, DIGEST, contentHashOf(0), saltOf(jobId, 0));
    }

    function test_reveal_ofACopiedCommitmentFails() public {
        commit(jobId, 0, DIGEST);
        bytes32 copied = oracle.votes(jobId)[0].value;
        IGenerationOracle.Vote memory copycat = oracle.votes(jobId)[1];
        bytes32 drawSeed = oracle.job(jobId).drawSeed;
        vm.prank(copycat.operator);
        oracle.commit(jobId, 1, drawSeed, copied);
        closeCommits(jobId);
        reveal(jobId, 0, DIGEST);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, jobId, copycat.seat));
        vm.prank(copycat.operator);
        oracle.reveal(jobId, 1, DIGEST, contentHashOf(0), saltOf(jobId, 0));
    }

    function test_reveal_ofACommitmentFromAnotherJobFails() public {
        bytes32 other = requestAndDraw(3);
        IGenerationOracle.Vote memory vote = oracle.votes(jobId)[0];
        bytes32 replayed = oracle.commitmentOf(other, 1, vote.seat, DIGEST, contentHashOf(0), saltOf(jobId, 0));
        bytes32 drawSeed = oracle.job(jobId).drawSeed;
        vm.prank(vote.operator);
        oracle.commit(jobId, 0, drawSeed, replayed);
        closeCommits(jobId);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, jobId, vote.seat));
        vm.prank(vote.operator);
        oracle.reveal(jobId, 0, DIGEST, contentHashOf(0), saltOf(jobId, 0));
    }

    function testFuzz_reveal_failsUnlessEveryPartIsWhatWasCommitted(bytes32 digest, bytes32 content, bytes32 salt)
        public
    {
        vm.assume(digest != DIGEST || content != contentHashOf(0) || salt != saltOf(jobId, 0));
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Vote memory vote = oracle.votes(jobId)[0];

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongOpening.selector, jobId, vote.seat));
        vm.prank(vote.operator);
        oracle.reveal(jobId, 0, digest, content, salt);
    }

    function test_reveal_happensOnce() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 0, DIGEST);
        expectNotCommitted(0);
    }

    function test_reveal_failsWithoutACommitment() public {
        commit(jobId, 1, DIGEST);
        closeCommits(jobId);
        expectNotCommitted(0);
    }

    function test_reveal_failsForAnybodyButTheOperator() public {
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, jobId, 0, stranger));
        vm.prank(stranger);
        oracle.reveal(jobId, 0, DIGEST, contentHashOf(0), saltOf(jobId, 0));
    }

    function test_commitmentOf_bindsChainAndContract() public {
        bytes32 here = oracle.commitmentOf(jobId, 1, 0, DIGEST, 0, 0);
        assertEq(
            here,
            keccak256(
                abi.encode(block.chainid, address(oracle), jobId, uint256(1), uint32(0), DIGEST, bytes32(0), bytes32(0))
            )
        );

        vm.chainId(1);
        assertNotEq(oracle.commitmentOf(jobId, 1, 0, DIGEST, 0, 0), here);
    }

    function expectNotCommitted(uint256 member) internal {
        IGenerationOracle.Vote memory vote = oracle.votes(jobId)[member];
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotCommitted.selector, jobId, vote.seat));
        vm.prank(vote.operator);
        oracle.reveal(jobId, member, DIGEST, contentHashOf(member), saltOf(jobId, member));
    }
}
