// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A sequencer is down, or blocks are stuffed, for as long as reveals are open: everybody has committed and nobody
/// could reveal.
contract OutageTest is Attack {
    function test_outage_slashesNobody() public {
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 0) + worthOf(jobId, 1) + worthOf(jobId, 2);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));

        pass(1 days);
        settle(jobId);

        assertGe(worthOf(jobId, 0) + worthOf(jobId, 1) + worthOf(jobId, 2), before);
    }
}
