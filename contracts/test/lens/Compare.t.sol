// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract CompareTest is Protocol {
    function testFuzz_compare_countsBitsAndNamesTheZone(uint256 lane, uint256 bits) public view {
        (lane, bits) = (bound(lane, 0, 3), bound(bits, 0, 64));

        (uint8[4] memory distances, IGenerationOracle.Zone zone) =
            lens.compare(modelId, DIGEST, flip(DIGEST, lane, bits));

        for (uint256 i; i < 4; ++i) {
            assertEq(distances[i], i == lane ? bits : 0);
        }
        IGenerationOracle.Zone expected = IGenerationOracle.Zone.Grey;
        if (bits <= ACCEPT) expected = IGenerationOracle.Zone.Accepted;
        if (bits > REJECT) expected = IGenerationOracle.Zone.Rejected;
        assertEq(uint8(zone), uint8(expected));
    }

    function test_compare_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        lens.compare("none", DIGEST, DIGEST);
    }
}
