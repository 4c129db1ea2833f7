// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A model's distances are so wide, or compared so carelessly, that other pictures pass.
contract LooseThresholdTest is Attack {
    function testFuzz_looseThreshold_isNotRegistered(uint8 lane) public {
        uint256 shift = 8 * (lane % 4);
        assertFalse(takes(0x01010101 * uint32(ACCEPT) + uint32(1 << shift), 0x18181818));
        assertFalse(takes(0x01010101 * uint32(ACCEPT), 0x18181818 + uint32(1 << shift)));
        assertTrue(takes(0x01010101 * uint32(ACCEPT), 0x18181818));
    }

    function testFuzz_looseThreshold_refusesRandomDigests(uint256 random) public view {
        bytes32 digest = keccak256(abi.encode("guess", random));
        (, IGenerationOracle.Zone zone) = lens.compare(modelId, DIGEST, digest);
        assertEq(uint8(zone), uint8(IGenerationOracle.Zone.Rejected));
    }

    /// @dev The forger matches three of the four hashes.
    function testFuzz_looseThreshold_wantsEveryLane(uint8 lane, uint8 bits) public {
        bytes32 forged = flip(DIGEST, lane % 4, bound(bits, REJECT + 1, 63));
        bytes32 jobId = requestAndDraw(3);
        uint256 before = worthOf(jobId, 2);

        vote(jobId, three(DIGEST, DIGEST, forged));
        finish(jobId);

        assertLe(worthOf(jobId, 2), before - BOND);
    }

    function takes(uint32 accept, uint32 reject) internal returns (bool done) {
        IModelRegistry.Model memory model = emoji();
        (model.accept, model.reject) = (bytes4(accept), bytes4(reject));
        vm.prank(modelOwner);
        (done,) = address(models).call(abi.encodeCall(models.register, (model, "loose")));
    }
}
