// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice A member takes half the steps, or half the precision: its picture is near the honest one, but not near enough.
contract CheapWorkTest is Attack {
    function testFuzz_cheapWork_isNotPaid(uint8 lane, uint8 bits) public {
        bytes32 cheap = flip(DIGEST, lane % 4, bound(bits, ACCEPT + 1, REJECT));
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);

        vote(jobId, three(DIGEST, DIGEST, cheap));
        finish(jobId);

        assertLe(worthOf(jobId, 2), before);
    }
}
