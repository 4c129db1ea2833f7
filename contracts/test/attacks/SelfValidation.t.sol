// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Attack} from "./Attack.t.sol";

/// @notice One party is requester, model owner and the whole committee. It can, and it gains nothing by it.
contract SelfValidationTest is Attack {
    function setUp() public override {
        super.setUp();
        IModelRegistry.Model memory own = emoji();
        (own.owner, own.royalty) = (requester, 2000);
        vm.prank(requester);
        modelId = models.register(own, "self-made");
        enrol(5);
        pass(2 * SEAT_AGE);
    }

    function test_selfValidation_earnsNothing() public {
        uint256 before = all();

        bytes32 jobId = requestAndDraw(3);
        vote(jobId, three(FAKE, FAKE, FAKE));
        finish(jobId);

        assertLe(all(), before);
    }

    function test_selfValidation_earnsNothingByDisagreeingWithItself() public {
        uint256 before = all();

        bytes32 jobId = requestAndDraw(3);
        vote(jobId, three(FAKE, DIGEST, FAKE));
        IGenerationOracle.Verdict memory verdict = finish(jobId);

        assertEq(verdict.digest, FAKE);
        assertLe(all(), before - BOND);
    }

    function all() internal view returns (uint256 sum) {
        sum = worth(requester);
        for (uint32 seat; seat < 5; ++seat) {
            sum += worth(seat);
        }
    }
}
