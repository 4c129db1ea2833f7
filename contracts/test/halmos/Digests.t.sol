// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Digests} from "../../src/libraries/Digests.sol";

/// @notice Proved for all inputs by `halmos`, tried on some by `forge test`. What is compared is gathered without branches:
/// each of them would double the paths.
contract DigestsSymbolicTest is Test {
    /// @dev The lowest bit of each lane.
    uint256 internal constant ONES = 0x0000000000000001000000000000000100000000000000010000000000000001;

    /// @dev Whatever two digests are, only the bits in which they differ count.
    function check_digests_areApartByTheirDifference(bytes32 a, bytes32 b) public pure {
        assert(Digests.apart(a, b) == Digests.apart(a ^ b, 0));
    }

    function testFuzz_digests_areApartByTheirDifference(bytes32 a, bytes32 b) public pure {
        check_digests_areApartByTheirDifference(a, b);
    }

    /// @dev What each byte of a lane adds does not depend on the other bytes: a count is the sum of the counts of eight
    /// bytes, of which the next proof knows each. Together they are `testFuzz_digests_countAllOnes`, which is too much for
    /// a solver at once.
    function check_digests_countByteByByte(uint256 bits) public pure {
        uint256 sum;
        for (uint256 byte_; byte_ < 8; ++byte_) {
            unchecked {
                sum += count(bits & byteOfEachLane(byte_));
            }
        }
        assert(count(bits) == sum);
    }

    function testFuzz_digests_countByteByByte(uint256 bits) public pure {
        check_digests_countByteByByte(bits);
    }

    /// @dev Of each lane, each of its bytes, with the other bytes zero.
    function check_digests_countTheOnesOfAByte(uint256 bits) public pure {
        uint256 wrong;
        for (uint256 byte_; byte_ < 8; ++byte_) {
            uint256 some = bits & byteOfEachLane(byte_);
            wrong |= count(some) ^ naive(some);
        }
        assert(wrong == 0);
    }

    function testFuzz_digests_countTheOnesOfAByte(uint256 bits) public pure {
        check_digests_countTheOnesOfAByte(bits);
    }

    function testFuzz_digests_countAllOnes(uint256 bits) public pure {
        assert(count(bits) == naive(bits));
    }

    /// @dev A lane that is beyond its bound shows, whatever the other lanes hold.
    function check_digests_withinLooksAtEveryLane(uint32 distances, uint32 bounds) public pure {
        uint256 beyond;
        for (uint256 shift; shift < 32; shift += 8) {
            beyond |= flag(uint8(distances >> shift) > uint8(bounds >> shift));
        }
        bool all = Digests.within(Digests.lanes(bytes4(distances)), Digests.lanes(bytes4(bounds)));
        assert(flag(all) == 1 - beyond);
    }

    function testFuzz_digests_withinLooksAtEveryLane(uint32 distances, uint32 bounds) public pure {
        check_digests_withinLooksAtEveryLane(distances, bounds);
    }

    /// @dev By lane.
    function count(uint256 bits) internal pure returns (uint256) {
        return Digests.apart(bytes32(bits), 0);
    }

    function naive(uint256 bits) internal pure returns (uint256 ones) {
        for (uint256 i; i < 64; ++i) {
            unchecked {
                ones += (bits >> i) & ONES;
            }
        }
    }

    function byteOfEachLane(uint256 byte_) internal pure returns (uint256) {
        return (0xff * ONES) << (8 * byte_);
    }

    function flag(bool yes) internal pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := yes
        }
    }
}
