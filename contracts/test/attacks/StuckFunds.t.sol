// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A requester, or an owner, that takes no money; a committee that is dead; a round that nobody draws.
contract StuckFundsTest is Attack {
    function test_stuckFunds_aReceiverThatRevertsBlocksNobody() public {
        Refuser refuser = new Refuser();
        requester = address(refuser);
        vm.deal(requester, 1 ether);
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 0);

        vote(jobId, three(DIGEST, DIGEST, FAKE));
        finish(jobId);

        assertGe(worthOf(jobId, 0), before + SHARE);
        uint256 left = oracle.balanceOf(requester);
        vm.prank(requester);
        assertEq(oracle.withdraw(payable(makeAddr("elsewhere"))), left);
    }

    function test_stuckFunds_aDeadCommitteeGivesTheFeeBack() public {
        bytes32 jobId = requestAndDraw(3);

        finish(jobId);

        assertGe(oracle.balanceOf(requester), 3 * uint256(SHARE));
    }

    function test_stuckFunds_aJobThatNobodyDrawsGivesTheFeeBack() public {
        uint256 rich = worth(requester);
        bytes32 jobId = request(3);

        closePhase(jobId);
        assertTrue(attempt(stranger, abi.encodeCall(oracle.expire, (jobOf(jobId)))));

        assertEq(worth(requester), rich);
    }

    function test_stuckFunds_anAppealThatNobodyDrawsEndsTheJob() public {
        fillPool();
        bytes32 jobId = requestAndDraw(3);
        IGenerationOracle.Round memory first = roundOf(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        uint256 fee = lens.appealFee(job);
        vm.prank(stranger);
        oracle.appeal{value: fee}(job);

        IGenerationOracle.Verdict memory verdict = finish(jobId);
        oracle.settleEarlier(job, first, verdict);

        assertEq(uint8(verdict.outcome), uint8(IGenerationOracle.Outcome.Unresolved));
        assertGe(oracle.balanceOf(stranger), 7 * uint256(SHARE));
        assertEq(address(oracle).balance, held());
    }

    /// @dev All that the oracle owes once no job is open.
    function held() internal view returns (uint256 sum) {
        sum = oracle.balanceOf(requester) + oracle.balanceOf(stranger) + oracle.balanceOf(address(this));
        for (uint32 seat; seat < 25; ++seat) {
            sum += worth(seat);
        }
    }
}

contract Refuser {
    receive() external payable {
        revert("no, thank you");
    }
}
