// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice The quorum of a first committee is bribed, or all one attacker's. Somebody generates again, and appeals.
contract BriberyTest is Attack {
    function setUp() public override {
        super.setUp();
        fillPool();
    }

    function test_bribery_losesTheSafeValue() public {
        (uint256 lost,,) = overturn(stranger);
        assertGe(lost, 2 * uint256(BOND));
    }

    /// @dev The attackers appeal themselves, to get the reward back.
    function test_bribery_losesTheSafeValueWhoeverAppeals() public {
        (uint256 lost, uint256 gained, uint256 safe) = overturn(stranger);
        assertGt(safe, 0);
        assertGe(lost, gained + safe);
    }

    /// @dev Or the fraud stands because being right costs more than it brings.
    function test_bribery_isWorthAnAppeal() public {
        (, uint256 gained,) = overturn(stranger);
        assertGt(gained, 0);
    }

    function overturn(address appellant) internal returns (uint256 lost, uint256 gained, uint256 safe) {
        bytes32 jobId = requestAndDraw(3);
        IGenerationOracle.Round memory first = roundOf(jobId);
        (uint32 a, uint32 b) = (seatAt(jobId, 0), seatAt(jobId, 1));
        (uint256 before, uint256 rich) = (worth(a) + worth(b), worth(appellant));
        vote(jobId, three(FAKE, FAKE, DIGEST));

        appeal(jobId, appellant);
        uint256 kept = heldBack(jobId, a) + heldBack(jobId, b);
        voteAll(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = finish(jobId);
        oracle.settleEarlier(jobOf(jobId), first, verdict);

        assertEq(verdict.digest, DIGEST);
        // Shares that the second round paid the same seats for honest work.
        lost = before + kept - worth(a) - worth(b);
        (gained, safe) = (worth(appellant) - rich, verdict.safeValue);
    }

    /// @return a share if the seat sits in the latest round too
    function heldBack(bytes32 jobId, uint32 seat) internal view returns (uint256) {
        for (uint256 i; i < roundOf(jobId).members.length; ++i) {
            if (seatAt(jobId, i) == seat) return SHARE;
        }
        return 0;
    }
}
