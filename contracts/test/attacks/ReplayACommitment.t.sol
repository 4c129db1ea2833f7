// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A lazy member commits to what another has committed to, and opens it with what the other opened it with.
contract ReplayACommitmentTest is Attack {
    function test_replayACommitment_earnsNothing() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);
        commit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);

        tryCommitment(jobId, 2, commitment(jobId, 0, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        tryReveal(jobId, 2, openingOf(jobId, 0, DIGEST));
        finish(jobId);

        assertLe(worthOf(jobId, 2), before);
    }

    /// @dev Nor does it serve in another job, round, contract or chain.
    function test_replayACommitment_elsewhere() public {
        IGenerationOracle.Opening memory opening = openingOf("job", 0, DIGEST);
        bytes32 here = oracle.commitmentOf("job", 1, 0, opening);

        assertNotEq(oracle.commitmentOf("other", 1, 0, opening), here);
        assertNotEq(oracle.commitmentOf("job", 2, 0, opening), here);
        assertNotEq(deployOracle(devnet(), SEAT_AGE, UNBONDING).commitmentOf("job", 1, 0, opening), here);
        vm.chainId(1);
        assertNotEq(oracle.commitmentOf("job", 1, 0, opening), here);
    }
}
