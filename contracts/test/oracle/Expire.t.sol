// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract ExpireTest is Protocol {
    function test_expire_givesTheFeeBack() public {
        bytes32 jobId = request(3);
        pass(241);
        assertPhase(jobId, IGenerationOracle.Phase.Expired);

        vm.prank(stranger);
        oracle.expire(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Expired);
        assertPhase(jobId, IGenerationOracle.Phase.Closed);
        assertEq(oracle.creditOf(requester), 3 * uint256(SHARE));
    }

    function test_expire_failsWhileTheJobCanBeDrawn() public {
        bytes32 jobId = request(3);
        pass(240);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Expired, IGenerationOracle.Phase.Draw);
        oracle.expire(jobId);
    }

    function test_expire_failsOnceDrawn() public {
        bytes32 jobId = requestAndDraw(3);
        pass(1000);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Expired, IGenerationOracle.Phase.Settle);
        oracle.expire(jobId);
    }

    function test_expire_happensOnce() public {
        bytes32 jobId = request(3);
        pass(241);
        oracle.expire(jobId);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Expired, IGenerationOracle.Phase.Closed);
        oracle.expire(jobId);
    }
}
