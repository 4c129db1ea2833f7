// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IRandomness} from "../../src/interfaces/IRandomness.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Votes} from "../../src/libraries/Votes.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Protocol} from "../Protocol.t.sol";

contract DrawAndCommitTest is Protocol {
    using Members for IGenerationOracle.Member;

    bytes32 internal jobId;
    bytes internal header;
    address internal operator;

    function setUp() public override {
        super.setUp();
        jobId = request(3);
        header = seed(jobId);
        operator = foretold().members[1].operator();
    }

    function test_drawAndCommit_drawsAndCommits() public {
        IGenerationOracle.Round memory round = foretold();

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Drawn(jobId, round, uint40(vm.getBlockTimestamp() + COMMIT_WINDOW));
        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Committed(jobId, 1, 1, "commitment");
        send(operator, round, 1);

        assertEq(oracle.voteOf(round.members[1].slot()), Votes.seal(jobId, 1, 1, "commitment"));
        assertEq(oracle.stateOf(jobId, 1).voted, 2);
        assertEq(oracle.stateOf(jobId, 1).clock, vm.getBlockTimestamp() + COMMIT_WINDOW);
    }

    /// @dev 60,000 and 15,000 for each of three seats, at twice the base fee.
    function test_drawAndCommit_paysTheSeatForTheDraw() public {
        IGenerationOracle.Round memory round = foretold();
        send(operator, round, 1);

        uint32 seat = round.members[1].seat();
        assertEq(stakes.seatOf(modelId, seat).earned, 105_000 * 2 * uint256(BASE_FEE));
        assertEq(oracle.balanceOf(operator), 0);
    }

    function test_drawAndCommit_leavesWhatADrawAndACommitmentLeave() public {
        IGenerationOracle.Round memory round = foretold();
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint256 before = vm.snapshotState();
        vm.startPrank(operator);
        oracle.draw(job, header);
        oracle.commit(jobId, round, 1, "commitment");
        vm.stopPrank();
        bytes memory expected = abi.encode(oracle.stateOf(jobId, 1));
        vm.revertToState(before);

        send(operator, round, 1);

        assertEq(abi.encode(oracle.stateOf(jobId, 1)), expected);
    }

    // ------------------------------------------------------------------------------------------------ somebody drew first

    function test_drawAndCommit_commitsIfTheRoundIsDrawn() public {
        draw(jobId);

        send(operator, roundOf(jobId), 1);

        assertEq(oracle.stateOf(jobId, 1).voted, 2);
    }

    /// @dev Whatever its sender foretold: it is the draw's seed that the generation answered, and nobody loses a race for it.
    function test_drawAndCommit_commitsThoughSomebodyElseDrewFirst() public {
        IGenerationOracle.Round memory round = foretold();
        draw(jobId);

        send(operator, round, 1);

        assertEq(oracle.stateOf(jobId, 1).voted, 2);
    }

    function test_drawAndCommit_failsIfItsSeatHasVoted() public {
        draw(jobId);
        commit(jobId, 1, DIGEST);
        IGenerationOracle.Round memory round = roundOf(jobId);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, 1));
        send(operator, round, 1);
    }

    function test_drawAndCommit_failsOnceTheCommitWindowIsClosed() public {
        draw(jobId);
        closePhase(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);

        expectWrongPhase(IGenerationOracle.Phase.Commit);
        send(operator, round, 1);
    }

    // ------------------------------------------------------------------------------------------------------- reorganised

    function test_drawAndCommit_failsIfItAnswersTheDrawOfAnotherFork() public {
        IGenerationOracle.Round memory round = foretold();
        bytes32 actual = round.drawSeed;
        round.drawSeed = "other fork";

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.OtherDraw.selector, bytes32("other fork"), actual));
        send(operator, round, 1);
    }

    function test_drawAndCommit_failsIfARoundOfAnotherForkIsDrawn() public {
        draw(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        round.drawSeed = "other fork";

        vm.expectRevert();
        send(operator, round, 1);
    }

    // ---------------------------------------------------------------------------------------------------------- refusals

    function test_drawAndCommit_failsForAnybodyButTheOperator() public {
        IGenerationOracle.Round memory round = foretold();

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, 1, stranger));
        send(stranger, round, 1);

        assertPhase(jobId, IGenerationOracle.Phase.Draw);
    }

    function test_drawAndCommit_failsWithAForgedProof() public {
        IGenerationOracle.Round memory round = foretold();
        uint64 id = lens.roundOf(jobOf(jobId)).randomnessId;
        header = HeaderFixtures.encode(id, "chosen");

        vm.expectRevert(abi.encodeWithSelector(IRandomness.WrongProof.selector, id));
        send(operator, round, 1);
    }

    function test_drawAndCommit_failsAfterTheDrawWindow() public {
        IGenerationOracle.Round memory round = foretold();
        vm.warp(jobOf(jobId).requestedAt + 60);

        expectWrongPhase(IGenerationOracle.Phase.Draw);
        send(operator, round, 1);
    }

    function test_drawAndCommit_failsForAJobThatWasNeverPaid() public {
        IGenerationOracle.Round memory round = foretold();
        IGenerationOracle.Job memory job = jobOf(jobId);
        job.nonce += 1;

        expectWrongPhase(IGenerationOracle.Phase.Commit);
        oracle.drawAndCommit(job, header, round, 1, "commitment");
    }

    function foretold() internal view returns (IGenerationOracle.Round memory) {
        return lens.drawOf(jobOf(jobId), header);
    }

    function send(address by, IGenerationOracle.Round memory round, uint256 member) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.prank(by);
        oracle.drawAndCommit(job, header, round, member, "commitment");
    }
}
