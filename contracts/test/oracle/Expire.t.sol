// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "./Disputes.t.sol";

contract ExpireTest is Disputes {
    function test_expire_givesTheWholeFeeBack() public {
        IGenerationOracle.Terms memory called = terms(3);
        (called.consumer, called.consumerGas) = (stranger, 100_000);
        uint256 fee = lens.quoteImage(modelId, spec(), called).fee;
        bytes32 jobId = request(called);
        IGenerationOracle.Job memory job = jobOf(jobId);
        pass(60);
        assertPhase(jobId, IGenerationOracle.Phase.Expired);

        vm.prank(stranger);
        oracle.expire(job);

        assertEq(oracle.balanceOf(requester), fee);
        assertEq(oracle.balanceOf(stranger), 0);
        assertPhase(jobId, IGenerationOracle.Phase.Settled);
    }

    function test_expire_isTheJobsLastWord() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Verdict memory verdict;
        (verdict.outcome, verdict.round) = (IGenerationOracle.Outcome.Expired, 1);
        pass(60);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Settled(jobId, verdict);
        oracle.expire(job);

        assertTrue(oracle.isFinal(jobId, verdict));
    }

    function test_expire_failsInTheLastSecondOfTheDrawWindow() public {
        bytes32 jobId = request(3);
        pass(59);
        fails(jobId);
    }

    function test_expire_failsOnceDrawn() public {
        bytes32 jobId = requestAndDraw(3);
        pass(1000);
        fails(jobId);
    }

    function test_expire_happensOnce() public {
        bytes32 jobId = request(3);
        pass(60);
        oracle.expire(jobOf(jobId));
        fails(jobId);
    }

    function test_expire_isNotForAppealRounds() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appeal(jobId);
        pass(60);
        fails(jobId);
        pass(APPEAL_WINDOW);
        fails(jobId);
    }

    function test_expire_failsForAJobThatWasNeverPaid() public {
        bytes32 jobId = request(3);
        pass(60);
        IGenerationOracle.Job memory job = jobOf(jobId);
        job.terms.share += 1;

        expectWrongPhase(IGenerationOracle.Phase.Expired);
        oracle.expire(job);
    }

    function fails(bytes32 jobId) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        expectWrongPhase(IGenerationOracle.Phase.Expired);
        oracle.expire(job);
    }
}
