// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice One stake stands behind more jobs than it covers, is cheated with in all of them, and slashed once.
contract OverCommittedStakeTest is Attack {
    function test_overCommittedStake_coversEveryBond() public {
        bytes32[] memory jobs = new bytes32[](10);
        for (uint256 i; i < jobs.length; ++i) {
            jobs[i] = requestAndDraw(5);
        }

        uint256 excused;
        for (uint256 i; i < jobs.length; ++i) {
            for (uint256 member; member < 5; ++member) {
                if (operatorAt(jobs[i], member) == address(0)) ++excused;
            }
        }

        assertEq(excused, 2 * 5);
    }

    /// @dev A seat lies in all its jobs and loses all its stake.
    function test_overCommittedStake_isSlashedForEveryJob() public {
        bytes32[] memory jobs = new bytes32[](8);
        for (uint256 i; i < jobs.length; ++i) {
            jobs[i] = requestAndDraw(5);
        }

        for (uint256 i; i < jobs.length; ++i) {
            for (uint256 member; member < 5; ++member) {
                commit(jobs[i], member, seatAt(jobs[i], member) == 0 ? FAKE : DIGEST);
            }
            for (uint256 member; member < 5; ++member) {
                reveal(jobs[i], member, seatAt(jobs[i], member) == 0 ? FAKE : DIGEST);
            }
            finish(jobs[i]);
        }

        assertEq(worth(uint32(0)), 0);
    }
}
