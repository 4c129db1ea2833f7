// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice An appellant challenges a verdict that was right, and is paid because no two rounds give the same bits; or
/// challenges one that cost nobody a bond, and is paid out of somebody else's money.
contract AppealDrainTest is Attack {
    function setUp() public override {
        super.setUp();
        fillPool();
    }

    function test_appealDrain_theSameVerdictIsNotAnotherOne() public {
        (uint256 rich, uint256 after_) = challenge(three(DIGEST, DIGEST, FAKE), flip(DIGEST, 0, ACCEPT));
        assertLe(after_, rich - 7 * uint256(SHARE));
    }

    function test_appealDrain_paysNothingWhereNobodyIsSlashed() public {
        (uint256 rich, uint256 after_) = challenge(three(DIGEST, DIGEST, DIGEST), flip(DIGEST, 0, ACCEPT + 1));
        assertLe(after_, rich - 7 * uint256(SHARE));
    }

    /// @dev A verdict is turned over, one vote is slashed, and the appellant's reward is out of it.
    function test_appealDrain_burnsSevenTenthsOfWhatIsSlashed() public {
        uint256 burned = BURNED.balance;
        challenge(three(keccak256("alone") & BITS, DIGEST, flip(DIGEST, 0, ACCEPT + 2)), DIGEST);
        assertGe(BURNED.balance - burned, uint256(BOND) * 7 / 10);
    }

    function challenge(bytes32[] memory votes, bytes32 last) internal returns (uint256 rich, uint256 after_) {
        bytes32 jobId = requestAndDraw(3);
        IGenerationOracle.Round memory first = roundOf(jobId);
        vote(jobId, votes);
        rich = worth(stranger);

        appeal(jobId, stranger);
        voteAll(jobId, last);
        IGenerationOracle.Verdict memory verdict = finish(jobId);
        oracle.settleEarlier(jobOf(jobId), first, verdict);
        after_ = worth(stranger);
    }
}
