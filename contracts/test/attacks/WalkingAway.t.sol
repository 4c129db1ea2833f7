// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A requester looks at the seed, and takes its money back if the committee is not its own.
contract WalkingAwayTest is Attack {
    function test_walkingAway_isNotPossible() public {
        uint256 rich = worth(requester);
        bytes32 jobId = request(3);
        seed(jobId);

        attempt(requester, abi.encodeCall(oracle.expire, (jobOf(jobId))));
        attempt(requester, abi.encodeCall(oracle.withdraw, (payable(requester))));
        bytes memory header = seed(jobId);
        vm.recordLogs();
        bool drawn = attempt(stranger, abi.encodeCall(oracle.draw, (jobOf(jobId), header)));
        remember();
        if (drawn) voteAll(jobId, DIGEST);
        if (drawn) finish(jobId);

        assertLe(worth(requester), rich - 3 * uint256(SHARE));
    }
}
