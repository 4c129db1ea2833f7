// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationLens} from "../../src/interfaces/IGenerationLens.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "../oracle/Disputes.t.sol";

contract SafeValueOfTest is Disputes {
    function test_safeValueOf_isSeventyPercentOfAQuorumsBonds() public {
        check(jobOf(request(3)), 2 * uint256(BOND) * 7 / 10, IGenerationLens.SafeValueReason.Bonds);
        check(jobOf(request(5)), 3 * uint256(BOND) * 7 / 10, IGenerationLens.SafeValueReason.Bonds);
    }

    function test_safeValueOf_countsTheQuorumThatWasPaidFor() public {
        IGenerationOracle.Job memory job = jobOf(request(5));
        job.terms.superMajority = true;
        check(job, 4 * uint256(BOND) * 7 / 10, IGenerationLens.SafeValueReason.Bonds);
    }

    function test_safeValueOf_isZeroWithAFixedSeed() public {
        IGenerationOracle.Terms memory fixed_ = terms(3);
        fixed_.fixedSeed = true;
        check(jobOf(request(fixed_)), 0, IGenerationLens.SafeValueReason.FixedSeed);
    }

    function test_safeValueOf_isZeroForATextAgainstWhichNothingIsEverFound() public {
        IGenerationOracle.Job memory job = jobOf(request(3));
        job.reject = 0x40404040;
        check(job, 0, IGenerationLens.SafeValueReason.Text);
    }

    /// @dev Three times the next round: 21 seats for a first committee of three.
    function testFuzz_safeValueOf_isZeroIfThePoolCouldNotStaffTheNextRoundThreeTimes(uint8 size, uint32 seats) public {
        IGenerationOracle.Job memory job = jobOf(request(3));
        job.terms.committeeSize = uint8(2 * bound(size, 1, 15) + 1);
        job.poolSeats = uint32(bound(seats, 0, 150));
        uint256 next = job.terms.committeeSize > 15 ? 31 : 2 * job.terms.committeeSize + 1;
        uint256 quorum = job.terms.committeeSize / 2 + 1;

        bool staffed = job.poolSeats >= 3 * next;
        check(
            job,
            staffed ? quorum * BOND * 7 / 10 : 0,
            staffed ? IGenerationLens.SafeValueReason.Bonds : IGenerationLens.SafeValueReason.SmallPool
        );
    }

    function test_safeValueOf_countsThePoolAtTheRequest() public {
        bytes32 jobId = judged(all(3, DIGEST));
        for (uint32 seat; seat < SEATS; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        assertEq(conclude(jobId).safeValue, 2 * uint256(BOND) * 7 / 10);
    }

    function check(IGenerationOracle.Job memory job, uint256 value, IGenerationLens.SafeValueReason reason)
        internal
        view
    {
        (uint256 found, IGenerationLens.SafeValueReason why) = lens.safeValueOf(job);
        assertEq(found, value);
        assertEq(uint8(why), uint8(reason));
    }
}
