// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationLens} from "../../src/interfaces/IGenerationLens.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "../oracle/Disputes.t.sol";

contract RoundOfTest is Disputes {
    function test_roundOf_followsAJobThroughItsPhases() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint256 seedBlock = vm.getBlockNumber() + 2;
        check(job, IGenerationOracle.Phase.Requested, 1, job.requestedAt + 60, seedBlock);

        seed(jobId);
        check(job, IGenerationOracle.Phase.Draw, 1, job.requestedAt + 60, seedBlock);

        draw(jobId);
        uint256 deadline = vm.getBlockTimestamp() + COMMIT_WINDOW;
        check(job, IGenerationOracle.Phase.Commit, 1, deadline, 0);

        commitAll(jobId, all(3, DIGEST));
        check(job, IGenerationOracle.Phase.Reveal, 1, deadline + REVEAL_WINDOW, 0);

        revealAll(jobId, all(3, DIGEST));
        check(job, IGenerationOracle.Phase.Appeal, 1, vm.getBlockTimestamp() + APPEAL_WINDOW, 0);

        pass(APPEAL_WINDOW);
        check(job, IGenerationOracle.Phase.Settle, 1, 0, 0);

        conclude(jobId);
        check(job, IGenerationOracle.Phase.Settled, 1, 0, 0);
    }

    function test_roundOf_isTheLatestRounds() public {
        bytes32 jobId = judged(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        appeal(jobId);
        uint256 deadline = vm.getBlockTimestamp() + 60;
        check(job, IGenerationOracle.Phase.Requested, 2, deadline, vm.getBlockNumber() + 2);

        pass(60);
        check(job, IGenerationOracle.Phase.Appeal, 2, deadline + APPEAL_WINDOW, vm.getBlockNumber() - 58);

        pass(APPEAL_WINDOW);
        conclude(jobId);
        check(job, IGenerationOracle.Phase.Settled, 2, 0, 0);
    }

    /// @dev The value of the block before is known in the block.
    function test_roundOf_saysDrawFromTheFirstBlockThatCanDraw() public {
        bytes32 jobId = request(3);
        pass(2);
        assertPhase(jobId, IGenerationOracle.Phase.Requested);
        pass(1);
        assertPhase(jobId, IGenerationOracle.Phase.Draw);
    }

    function test_roundOf_anExpiredJob() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        pass(60);
        assertPhase(jobId, IGenerationOracle.Phase.Expired);
        oracle.expire(job);
        assertPhase(jobId, IGenerationOracle.Phase.Settled);
    }

    function test_roundOf_aJobThatWasNeverPaid() public {
        IGenerationOracle.Job memory job = jobOf(request(3));
        job.nonce += 1;
        check(job, IGenerationOracle.Phase.None, 0, 0, 0);
    }

    function check(
        IGenerationOracle.Job memory job,
        IGenerationOracle.Phase phase,
        uint8 latest,
        uint256 deadline,
        uint256 randomnessId
    ) internal view {
        IGenerationLens.RoundView memory round = lens.roundOf(job);
        assertEq(uint8(round.phase), uint8(phase), "phase");
        assertEq(round.latest, latest, "latest");
        assertEq(round.deadline, deadline, "deadline");
        assertEq(round.randomnessId, randomnessId, "randomness");
    }
}
