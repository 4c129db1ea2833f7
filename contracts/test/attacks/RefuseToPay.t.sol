// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A requester takes the picture and keeps the money.
contract RefuseToPayTest is Attack {
    function test_refuseToPay_isTooLate() public {
        uint256 rich = worth(requester);
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 0);

        attempt(requester, abi.encodeCall(oracle.withdraw, (payable(requester))));
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        finish(jobId);

        assertGe(worthOf(jobId, 0), before + SHARE);
        assertLe(worth(requester), rich - 3 * uint256(SHARE));
    }
}
