// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A settlement is sent twice, for the money that it pays or for what it burns.
contract DoubleSlashTest is Attack {
    function test_doubleSlash_isRefused() public {
        fillPool();
        bytes32 jobId = requestAndDraw(3);
        IGenerationOracle.Round memory first = roundOf(jobId);
        uint32 liar = seatAt(jobId, 0);
        vote(jobId, three(FAKE, DIGEST, DIGEST));
        appeal(jobId, stranger);
        uint256 before = worth(liar) + sharesOf(jobId, liar);
        voteAll(jobId, DIGEST);
        IGenerationOracle.Round memory last = roundOf(jobId);
        IGenerationOracle.Verdict memory verdict = finish(jobId);
        oracle.settleEarlier(jobOf(jobId), first, verdict);
        uint256 rich = worth(requester) + worth(stranger);

        IGenerationOracle.Job memory job = jobOf(jobId);
        attempt(stranger, abi.encodeCall(oracle.settle, (job, last)));
        attempt(stranger, abi.encodeCall(oracle.settleEarlier, (job, last, verdict)));
        attempt(stranger, abi.encodeCall(oracle.settleEarlier, (job, first, verdict)));

        assertEq(worth(liar), before - BOND);
        assertEq(worth(requester) + worth(stranger), rich);
    }

    function sharesOf(bytes32 jobId, uint32 seat) internal view returns (uint256 shares) {
        for (uint256 i; i < roundOf(jobId).members.length; ++i) {
            if (seatAt(jobId, i) == seat) shares += SHARE;
        }
    }
}
