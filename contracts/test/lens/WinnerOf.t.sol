// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "../oracle/Disputes.t.sol";

contract WinnerOfTest is Disputes {
    function test_winnerOf_followsTheReveals() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, far, near));
        check(jobId, 0, 0);
        reveal(jobId, 0, DIGEST);
        check(jobId, 0, 0);
        reveal(jobId, 1, far);
        check(jobId, 0, 0);
        reveal(jobId, 2, near);
        (, uint256 supporters) = lens.winnerOf(jobOf(jobId), roundOf(jobId));
        assertEq(supporters, 2);
    }

    function testFuzz_winnerOf_isTheVerdictThatSettlingFinds(uint256 random) public {
        bytes32[4] memory answers = [DIGEST, near, grey, far];
        bytes32[] memory digests = new bytes32[](5);
        for (uint256 i; i < 5; ++i) {
            digests[i] = answers[(random >> (8 * i)) % 4];
        }
        bytes32 jobId = judged(digests);
        (bytes32 digest, uint256 supporters) = lens.winnerOf(jobOf(jobId), roundOf(jobId));

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertEq(verdict.digest, digest);
        assertEq(verdict.supporters, supporters);
    }

    function test_winnerOf_needsThePaidMajorityOfTheRoundsCommittee() public {
        IGenerationOracle.Terms memory super_ = terms(5);
        super_.superMajority = true;
        bytes32 jobId = request(super_);
        draw(jobId);
        commitAll(jobId, all(5, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        reveal(jobId, 2, DIGEST);
        check(jobId, 0, 0);
        reveal(jobId, 3, DIGEST);
        check(jobId, DIGEST, 4);
    }

    function test_winnerOf_failsUnlessDrawn() public {
        bytes32 jobId = judged(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        conclude(jobId);

        expectWrongPhase(IGenerationOracle.Phase.Appeal);
        lens.winnerOf(job, round);
    }

    function test_winnerOf_failsIfTheRoundIsAnother() public {
        bytes32 jobId = judged(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        round.drawSeed = "other fork";

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, jobId, 1));
        lens.winnerOf(job, round);
    }

    function check(bytes32 jobId, bytes32 digest, uint256 supporters) internal view {
        (bytes32 found, uint256 count) = lens.winnerOf(jobOf(jobId), roundOf(jobId));
        assertEq(found, digest);
        assertEq(count, supporters);
    }
}
