// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Somebody sees a transaction before it is mined and gets ahead of it.
contract FrontRunningTest is Attack {
    using Members for IGenerationOracle.Member;

    function test_frontRunning_ofACommitDoesNotTakeTheSeat() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 0);

        IGenerationOracle.Round memory round = roundOf(jobId);
        attempt(stranger, abi.encodeCall(oracle.commit, (jobId, round, 0, keccak256("mine"))));
        attempt(stranger, abi.encodeCall(oracle.decline, (jobId, round, 0)));
        carryOn(jobId);

        assertGe(worthOf(jobId, 0), before + SHARE);
    }

    /// @dev Whoever draws, the members who meant to draw have committed all the same.
    function test_frontRunning_ofADrawStopsNoCommit() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        bytes memory header = seed(jobId);
        IGenerationOracle.Round memory foretold = lens.drawOf(job, header);
        assertTrue(attempt(stranger, abi.encodeCall(oracle.draw, (job, header))));

        address operator = foretold.members[0].operator();
        bytes memory data = abi.encodeCall(oracle.drawAndCommit, (job, header, foretold, 0, keccak256("mine")));
        assertTrue(attempt(operator, data));
    }

    /// @dev Whoever sends a reveal, the seat is paid.
    function test_frontRunning_ofARevealIsAFavour() public {
        bytes32 jobId = requestAndDraw(3);
        (uint256 before, uint256 rich) = (worthOf(jobId, 0), worth(stranger));
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));

        IGenerationOracle.Opening memory seen = openingOf(jobId, 0, DIGEST);
        assertTrue(attempt(stranger, revealCall(jobId, 0, seen)));
        reveal(jobId, 1, DIGEST);
        reveal(jobId, 2, DIGEST);
        finish(jobId);

        assertGe(worthOf(jobId, 0), before + SHARE);
        assertLe(worth(stranger), rich);
    }
}
