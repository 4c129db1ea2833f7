// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice The requester and a majority of the committee outvote an honest member for its bond.
contract SlashIncentiveTest is Attack {
    function test_slashIncentive_isNone() public {
        uint256 rich = worth(requester);
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 0) + worthOf(jobId, 1);
        uint256 burned = BURNED.balance;

        vote(jobId, three(FAKE, FAKE, DIGEST));
        finish(jobId);

        uint256 gained = worthOf(jobId, 0) + worthOf(jobId, 1) - before;
        assertLe(worth(requester) + gained, rich);
        assertGe(BURNED.balance - burned, uint256(BOND) * 7 / 10);
    }
}
