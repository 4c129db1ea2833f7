// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract DeclineTest is Protocol {
    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        jobId = requestAndDraw(3);
    }

    function test_decline_isOpen() public {
        uint32 seat = oracle.votes(jobId)[1].seat;

        vm.expectEmit();
        emit IGenerationOracle.Declined(jobId, seat);
        decline(jobId, 1);

        assertEq(uint8(oracle.votes(jobId)[1].step), uint8(IGenerationOracle.Step.Declined));
    }

    function test_decline_doesNotHoldUpTheOthers() public {
        commit(jobId, 0, DIGEST);
        commit(jobId, 2, DIGEST);

        decline(jobId, 1);

        assertPhase(jobId, IGenerationOracle.Phase.Reveal);
    }

    function test_decline_ofAllLeadsToTheSettlement() public {
        for (uint256 member; member < 3; ++member) {
            decline(jobId, member);
        }

        assertPhase(jobId, IGenerationOracle.Phase.Settle);
    }

    function test_decline_failsAfterTheDeadline() public {
        closeCommits(jobId);
        address operator = oracle.votes(jobId)[0].operator;

        expectWrongPhase(jobId, IGenerationOracle.Phase.Commit, IGenerationOracle.Phase.Settle);
        vm.prank(operator);
        oracle.decline(jobId, 0);
    }

    function test_decline_failsAfterCommitting() public {
        commit(jobId, 0, DIGEST);
        IGenerationOracle.Vote memory vote = oracle.votes(jobId)[0];

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.AlreadyVoted.selector, jobId, vote.seat));
        vm.prank(vote.operator);
        oracle.decline(jobId, 0);
    }

    function test_decline_failsForAnybodyButTheOperator() public {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotOperator.selector, jobId, 0, stranger));
        vm.prank(stranger);
        oracle.decline(jobId, 0);
    }
}
