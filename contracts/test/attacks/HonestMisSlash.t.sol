// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A minority answers so that an honest member, whose machine is a little off, lies beyond the reject distance.
contract HonestMisSlashTest is Attack {
    /// @dev The strictest model that the registry takes with ten bits accepted.
    function setUp() public override {
        super.setUp();
        IModelRegistry.Model memory model = emoji();
        for (uint8 reject = ACCEPT;; ++reject) {
            model.reject = bytes4(0x01010101 * uint32(reject));
            vm.prank(modelOwner);
            (bool done, bytes memory id) = address(models).call(abi.encodeCall(models.register, (model, "strict")));
            if (!done) continue;
            modelId = abi.decode(id, (bytes32));
            break;
        }
        enrol(7);
        pass(2 * SEAT_AGE);
    }

    /// @dev Honest: A, A, A, and B, which is as far from A as is accepted. Hostile: D, on the far side of A, and E, E behind
    /// it. D wins with six of seven.
    function test_honestMisSlash_byPullingTheWinnerAway() public {
        bytes32[] memory digests = new bytes32[](7);
        digests[0] = digests[1] = digests[2] = DIGEST;
        digests[3] = turn(DIGEST, 0x3ff);
        digests[4] = turn(DIGEST, 0x3ff << 10);
        digests[5] = digests[6] = turn(DIGEST, 0xfffff << 10);
        bytes32 jobId = requestAndDraw(7);
        uint256 before = worthOf(jobId, 3);

        vote(jobId, digests);
        IGenerationOracle.Verdict memory verdict = finish(jobId);

        assertEq(verdict.digest, digests[4]);
        assertGe(worthOf(jobId, 3), before);
    }

    /// @dev Wherever the minority lies.
    function testFuzz_honestMisSlash_byAnyMinority(uint256 random) public {
        bytes32[] memory digests = new bytes32[](7);
        for (uint256 i; i < 7; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            uint256 most = i < 4 ? ACCEPT / 2 : 40;
            digests[i] = turn(DIGEST, mask(random, random % (most + 1)));
        }
        bytes32 jobId = requestAndDraw(7);
        uint256[] memory before = new uint256[](4);
        for (uint256 i; i < 4; ++i) {
            before[i] = worthOf(jobId, i);
        }

        vote(jobId, digests);
        finish(jobId);

        for (uint256 i; i < 4; ++i) {
            assertGe(worthOf(jobId, i), before[i]);
        }
    }

    /// @dev At most `bits` bits of one lane.
    function mask(uint256 random, uint256 bits) internal pure returns (uint256 turned) {
        for (uint256 i; i < bits; ++i) {
            turned |= 1 << (uint256(keccak256(abi.encode(random, i))) % 64);
        }
    }

    function turn(bytes32 digest, uint256 bits) internal pure returns (bytes32) {
        return digest ^ bytes32(bits << 192);
    }
}
