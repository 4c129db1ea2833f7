// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Test} from "forge-std/Test.sol";
import {Headers} from "../../src/libraries/Headers.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";

contract HeadersTest is Test {
    function test_randao_isReadFromAHeaderThatAnvilMade() public view {
        assertEq(keccak256(HeaderFixtures.ANVIL), HeaderFixtures.ANVIL_HASH);
        assertEq(this.randao(HeaderFixtures.ANVIL), HeaderFixtures.ANVIL_RANDAO);
    }

    function testFuzz_randao_agreesWithOpenZeppelin(bytes32 seed, uint256 number, bytes32 mix, uint8 count)
        public
        view
    {
        bytes[] memory fields = HeaderFixtures.fields(number, mix, bound(count, 14, 40));
        // Fields of every length that they may have.
        fields[7] = RLP.encode(uint256(seed) >> (uint256(seed) % 256));
        fields[9] = RLP.encode(uint256(seed) % 128);
        fields[12] = RLP.encode(abi.encodePacked(seed, seed, seed));
        bytes memory header = RLP.encode(fields);

        assertEq(this.randao(header), BlockHeader.getPrevRandao(header));
        assertEq(this.randao(header), mix);
    }

    function randao(bytes calldata header) external pure returns (bytes32) {
        return Headers.randao(header);
    }
}
