// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Whoever deployed it, registered the model or settles helps himself.
contract AdminAbuseTest is Attack {
    /// @dev A keeper gets its bounty and nothing of what is slashed.
    function test_adminAbuse_theKeeperGetsItsBountyOnly() public {
        bytes32 jobId = requestAndDraw(3);
        vote(jobId, three(DIGEST, DIGEST, FAKE));
        closeAppeals(jobId);
        uint256 rich = worth(stranger);

        vm.prank(stranger);
        oracle.settle(jobOf(jobId), roundOf(jobId));

        assertLe(worth(stranger) - rich, 200_000 * 2 * uint256(BASE_FEE));
    }

    /// @dev The model's owner cannot change what is registered.
    function test_adminAbuse_aModelStaysAsItIs() public {
        bytes32 before = keccak256(abi.encode(models.modelOf(modelId)));
        IModelRegistry.Model memory greedy = emoji();
        greedy.royalty = 2000;

        vm.prank(modelOwner);
        models.register(greedy, "emoji-64");
        IModelRegistry.Model memory same = emoji();
        vm.prank(modelOwner);
        (bool again,) = address(models).call(abi.encodeCall(models.register, (same, "emoji-64")));

        assertFalse(again);
        assertEq(keccak256(abi.encode(models.modelOf(modelId))), before);
    }

    /// @dev There is no owner, no pause and no upgrade.
    function test_adminAbuse_thereIsNoAdmin() public {
        string[8] memory powers = [
            "owner()",
            "pause()",
            "transferOwnership(address)",
            "upgradeTo(address)",
            "upgradeToAndCall(address,bytes)",
            "setWindows((uint32,uint32,uint32,uint32,uint32))",
            "sweep(address)",
            "initialize(address)"
        ];
        for (uint256 i; i < powers.length; ++i) {
            bytes memory data = abi.encodePacked(bytes4(keccak256(bytes(powers[i]))), abi.encode(address(this), 0));
            (bool oracleHas,) = address(oracle).call(data);
            (bool modelsHas,) = address(models).call(data);
            assertFalse(oracleHas || modelsHas);
        }
    }
}
