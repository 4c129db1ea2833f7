// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "../oracle/Disputes.t.sol";

contract StepsOfTest is Disputes {
    function test_stepsOf_tellsWhatEachMemberHasDone() public {
        bytes32 jobId = requestAndDraw(5);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);
        decline(jobId, 3);
        closeCommits(jobId);
        reveal(jobId, 1, DIGEST);

        IGenerationOracle.Step[] memory steps = lens.stepsOf(jobId, roundOf(jobId));

        assertEq(steps.length, 5);
        assertEq(uint8(steps[0]), uint8(IGenerationOracle.Step.Committed));
        assertEq(uint8(steps[1]), uint8(IGenerationOracle.Step.Revealed));
        assertEq(uint8(steps[2]), uint8(IGenerationOracle.Step.Drawn));
        assertEq(uint8(steps[3]), uint8(IGenerationOracle.Step.Out));
        assertEq(uint8(steps[4]), uint8(IGenerationOracle.Step.Drawn));
    }

    function test_stepsOf_anEarlierRoundStayAsTheyWere() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appeal(jobId);
        assertEq(uint8(lens.stepsOf(jobId, drawn(jobId, 1))[2]), uint8(IGenerationOracle.Step.Revealed));
    }

    function test_stepsOf_aSettledRoundAreForgotten() public {
        bytes32 jobId = judged(all(3, DIGEST));
        conclude(jobId);
        assertEq(lens.stepsOf(jobId, roundOf(jobId)).length, 0);
    }

    function test_stepsOf_failsIfTheRoundIsAnother() public {
        bytes32 jobId = judged(all(3, DIGEST));
        IGenerationOracle.Round memory round = roundOf(jobId);
        round.drawSeed = ~round.drawSeed;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, jobId, 1));
        lens.stepsOf(jobId, round);
    }
}
