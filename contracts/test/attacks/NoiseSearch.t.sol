// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A requester searches, before it asks, for a job on which honest machines part, or for which it has prepared an
/// answer.
contract NoiseSearchTest is Attack {
    /// @dev What the search needs is the noise.
    function testFuzz_noiseSearch_doesNotKnowTheNoise(bytes32 drawSeed, bytes32 other) public {
        vm.assume(drawSeed != other);
        IGenerationOracle.Job memory job = jobOf(request(3));

        assertNotEq(lens.noiseSeed(job, drawSeed), lens.noiseSeed(job, other));
    }

    /// @dev Where the requester fixes the noise it may know such a job, so nobody's bond is at risk.
    function test_noiseSearch_ofAFixedSeedSlashesNobody() public {
        IGenerationOracle.Terms memory of_ = terms(3);
        of_.fixedSeed = true;
        bytes32 jobId = request(of_);
        draw(jobId);
        uint256 before = worthOf(jobId, 2);

        vote(jobId, three(DIGEST, DIGEST, FAKE));
        IGenerationOracle.Verdict memory verdict = finish(jobId);

        assertGe(worthOf(jobId, 2), before);
        assertEq(verdict.safeValue, 0);
    }
}
