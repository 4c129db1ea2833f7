// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "../oracle/Disputes.t.sol";

contract AppealFeeTest is Disputes {
    function test_appealFee_isTheNextRoundsSharesAndBounties() public {
        bytes32 jobId = judged(all(3, DIGEST));
        check(jobId, 7);
        appealTo(jobId, DIGEST);
        check(jobId, 15);
        appealTo(jobId, DIGEST);
        check(jobId, 31);
    }

    function testFuzz_appealFee_isWhatAnAppealTakes(uint8 size, uint64 baseFee) public {
        vm.fee(bound(baseFee, 0, 30 gwei));
        bytes32 jobId = judged(all(2 * bound(size, 1, 15) + 1, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint256 fee = lens.appealFee(job);
        vm.fee(100 gwei);

        hoax(appellant, 10 ether);
        oracle.appeal{value: 10 ether}(job);

        assertEq(oracle.balanceOf(appellant), 10 ether - fee);
    }

    function check(bytes32 jobId, uint256 size) internal view {
        assertEq(lens.appealFee(jobOf(jobId)), size * SHARE + drawBounty(size) + settleBounty(size));
    }
}
