// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Digests} from "../../src/libraries/Digests.sol";

contract DigestsTest is Test {
    function testFuzz_distances_countsTheDifferingBitsOfEachLane(bytes32 a, bytes32 b) public pure {
        uint8[4] memory distances = Digests.distances(a, b);
        uint256 total;
        for (uint256 lane; lane < 4; ++lane) {
            assertEq(distances[lane], slowly(a, b, lane));
            total += distances[lane];
        }
        assertEq(Digests.total(Digests.apart(a, b)), total);
    }

    function test_distances_reachesSixtyFourInEveryLane() public pure {
        uint8[4] memory distances = Digests.distances(0, ~bytes32(0));
        for (uint256 lane; lane < 4; ++lane) {
            assertEq(distances[lane], 64);
        }
        assertEq(Digests.total(Digests.apart(0, ~bytes32(0))), 256);
    }

    function test_distances_putsTheMostSignificantLaneFirst() public pure {
        uint8[4] memory distances = Digests.distances(0, bytes32(uint256(0xf) << 192 | uint256(0x7) << 64 | 0x1));
        assertEq(abi.encode(distances), abi.encode([uint8(4), 0, 3, 1]));
    }

    function test_lanes_putsTheFirstByteIntoTheMostSignificantLane() public pure {
        assertEq(Digests.lanes(0x01020304), (uint256(1) << 192) | (uint256(2) << 128) | (uint256(3) << 64) | 4);
    }

    function testFuzz_within_comparesLaneByLane(bytes32 a, bytes32 b, uint8[4] memory bounds) public pure {
        bool expected = true;
        uint32 packed;
        for (uint256 lane; lane < 4; ++lane) {
            bounds[lane] %= 70;
            packed = (packed << 8) | bounds[lane];
            expected = expected && slowly(a, b, lane) <= bounds[lane];
        }
        assertEq(Digests.within(Digests.apart(a, b), Digests.lanes(bytes4(packed))), expected);
    }

    /// @dev Single lanes at the very edge, where random digests never come.
    function testFuzz_zone_isRejectedIfAnyLaneIsBeyondReject(uint8 lane, uint8 bits) public pure {
        lane = uint8(bound(lane, 0, 3));
        bits = uint8(bound(bits, 0, 64));
        bytes4 accept = 0x0a080600;
        bytes4 reject = 0x18140c00;
        bytes32 digest = keccak256("digest");
        uint256 mask = bits == 0 ? 0 : type(uint256).max >> (256 - bits);
        bytes32 other = digest ^ bytes32(mask << (64 * (3 - lane)));

        IGenerationOracle.Zone expected = IGenerationOracle.Zone.Grey;
        if (bits <= uint8(accept[lane])) expected = IGenerationOracle.Zone.Accepted;
        if (bits > uint8(reject[lane])) expected = IGenerationOracle.Zone.Rejected;
        IGenerationOracle.Zone zone = Digests.zone(Digests.lanes(accept), Digests.lanes(reject), digest, other);
        assertEq(uint8(zone), uint8(expected));
    }

    function slowly(bytes32 a, bytes32 b, uint256 lane) internal pure returns (uint8 ones) {
        uint256 bits = uint256(a ^ b) >> (64 * (3 - lane));
        for (uint256 i; i < 64; ++i) {
            ones += uint8((bits >> i) & 1);
        }
    }
}
