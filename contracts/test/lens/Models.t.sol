// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationLens} from "../../src/interfaces/IGenerationLens.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract ModelsTest is Protocol {
    function test_models_listsModelsWithTheirPools() public {
        IModelRegistry.Model memory second = emoji();
        second.manifestHash = "another";
        vm.prank(modelOwner);
        bytes32 id = models.register(second, "another");

        IGenerationLens.ModelView[] memory page = lens.models(0, 10);

        assertEq(page.length, 2);
        assertEq(page[0].modelId, modelId);
        assertEq(abi.encode(page[0].model), abi.encode(emoji()));
        assertEq(page[0].pool.old, 5);
        assertEq(page[1].modelId, id);
        assertEq(abi.encode(page[1].model), abi.encode(second));
        assertEq(page[1].pool.slots, 0);
        assertEq(lens.models(1, 10).length, 1);
        assertEq(lens.models(2, 10).length, 0);
    }
}
