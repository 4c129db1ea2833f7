// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Somebody registers a known manifest under terms of his own, in its author's name.
contract TwinModelTest is Attack {
    function test_twinModel_cannotBearAnothersName() public {
        IModelRegistry.Model memory twin = emoji();
        twin.royalty = 2000;

        vm.prank(stranger);
        (bool done,) = address(models).call(abi.encodeCall(models.register, (twin, "emoji-64")));

        assertFalse(done);
    }

    function test_twinModel_hasAnotherIdAndAnEmptyPool() public {
        IModelRegistry.Model memory twin = emoji();
        twin.owner = stranger;

        vm.prank(stranger);
        bytes32 id = models.register(twin, "emoji-64");

        assertNotEq(id, modelId);
        assertEq(stakes.poolOf(id).slots, 0);
    }

    function test_twinModel_cannotTakeMoreThanAFifth() public {
        IModelRegistry.Model memory twin = emoji();
        (twin.owner, twin.royalty) = (stranger, 2001);

        vm.prank(stranger);
        (bool done,) = address(models).call(abi.encodeCall(models.register, (twin, "greedy")));

        assertFalse(done);
    }
}
