// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Vm} from "forge-std/Vm.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A member takes an honest picture, pastes a logo on it that turns no bit of the digest, and serves that; or serves
/// nothing.
contract DataWithholdingTest is Attack {
    /// @dev The verdict is the digest. Content hashes are reported, each as its member's word, and decide nothing.
    function test_dataWithholding_doesNotMakeAFileTheResult() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        vm.recordLogs();
        revealAll(jobId, three(DIGEST, DIGEST, DIGEST));

        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < 3; ++i) {
            (,, bytes32 digest, bytes32 contentHash) = abi.decode(logs[i].data, (uint8, uint256, bytes32, bytes32));
            assertEq(digest, DIGEST);
            assertEq(contentHash, contentHashOf(i));
        }
        assertEq(finish(jobId).supporters, 3);
    }

    /// @dev Whatever was done with the file: its hash cannot be changed once committed to.
    function test_dataWithholding_cannotSwapTheFile() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Opening memory other = openingOf(jobId, 0, DIGEST);
        other.contentHash = keccak256("with a logo");

        assertFalse(tryReveal(jobId, 0, other));
    }
}
