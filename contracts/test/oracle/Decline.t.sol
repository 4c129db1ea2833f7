// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Protocol} from "../Protocol.t.sol";

contract DeclineTest is Protocol {
    using Members for IGenerationOracle.Member;

    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        jobId = requestAndDraw(3);
    }

    function test_decline_isOpen() public {
        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Declined(jobId, 1, 1);
        decline(jobId, 1);

        assertEq(uint8(lens.stepsOf(jobId, roundOf(jobId))[1]), uint8(IGenerationOracle.Step.Out));
    }

    function test_decline_doesNotHoldUpTheOthers() public {
        commit(jobId, 0, DIGEST);
        commit(jobId, 2, DIGEST);
        uint40 deadline = oracle.stateOf(jobId, 1).clock;

        decline(jobId, 1);

        assertPhase(jobId, IGenerationOracle.Phase.Reveal);
        assertEq(oracle.stateOf(jobId, 1).clock, deadline);
    }

    function test_decline_ofAllOpensTheAppeal() public {
        pass(20);
        for (uint256 member; member < 3; ++member) {
            decline(jobId, member);
        }

        assertPhase(jobId, IGenerationOracle.Phase.Appeal);
        assertEq(lens.roundOf(jobOf(jobId)).deadline, vm.getBlockTimestamp() + APPEAL_WINDOW);
    }

    function test_decline_worksInTheLastSecond() public {
        vm.warp(oracle.stateOf(jobId, 1).clock - 1);
        decline(jobId, 0);
    }

    function test_decline_failsAfterTheDeadline() public {
        vm.warp(oracle.stateOf(jobId, 1).clock);
        fails(
            roundOf(jobId).members[0].operator(),
            abi.encodeWithSelector(IGenerationOracle.WrongPhase.selector, IGenerationOracle.Phase.Commit)
        );
    }

    function test_decline_failsAfterCommitting() public {
        commit(jobId, 0, DIGEST);
        fails(roundOf(jobId).members[0].operator(), abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, 0));
    }

    function test_decline_failsTwice() public {
        decline(jobId, 0);
        fails(roundOf(jobId).members[0].operator(), abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, 0));
    }

    function test_decline_failsForAnybodyButTheOperator() public {
        fails(stranger, abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, 0, stranger));
    }

    function test_decline_failsIfTheRoundIsAnother() public {
        IGenerationOracle.Round memory round = roundOf(jobId);
        round.drawSeed = "other fork";

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, jobId, 1));
        vm.prank(round.members[0].operator());
        oracle.decline(jobId, round, 0);
    }

    function fails(address caller, bytes memory error_) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.expectRevert(error_);
        vm.prank(caller);
        oracle.decline(jobId, round, 0);
    }
}
