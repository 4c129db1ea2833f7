// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Digests} from "../src/libraries/Digests.sol";

/// @notice What comparing two digests costs, compiled as the contracts are.
contract ComparisonTest is Test {
    uint256 private constant TIMES = 1000;
    uint256 private constant ACCEPT = 0x000000000000000a000000000000000a000000000000000a000000000000000a;

    /// @dev What a second comparison adds to one.
    function test_gas_ofAComparison() public {
        bytes32 digest = keccak256("a picture");
        uint256 start = gasleft();
        uint256 one = compareOnce(digest);
        uint256 middle = gasleft();
        uint256 two = compareTwice(digest);
        uint256 spent = ((middle - gasleft()) - (start - middle)) / TIMES;

        assertNotEq(two, one);
        vm.snapshotValue("comparison", "of two digests", spent);
        assertLt(spent, 300);
    }

    function compareOnce(bytes32 digest) private pure returns (uint256 sum) {
        for (uint256 i; i < TIMES; ++i) {
            sum ^= compare(digest, keccak256(abi.encode(i)));
        }
    }

    function compareTwice(bytes32 digest) private pure returns (uint256 sum) {
        for (uint256 i; i < TIMES; ++i) {
            bytes32 other = keccak256(abi.encode(i));
            sum ^= compare(digest, other) ^ compare(digest, ~other);
        }
    }

    function compare(bytes32 a, bytes32 b) private pure returns (uint256) {
        uint256 apart = Digests.apart(a, b);
        return Digests.within(apart, ACCEPT) ? 0 : Digests.total(apart);
    }
}
