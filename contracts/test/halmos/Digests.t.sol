// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Digests} from "../../src/libraries/Digests.sol";

/// @notice Proved for all inputs by `halmos`, tried on some by `forge test`.
contract DigestsSymbolicTest is Test {
    /// @dev All lanes at once, a byte of each: what the counting does to a byte does not depend on its neighbours.
    function check_digests_countTheOnesOfABytePerLane(uint32 bits) public pure {
        for (uint256 shift; shift < 64; shift += 8) {
            check(spread(bits) << shift);
        }
    }

    function testFuzz_digests_countTheOnesOfABytePerLane(uint32 bits) public pure {
        check_digests_countTheOnesOfABytePerLane(bits);
    }

    /// @dev All 256 bits. Hard for a solver.
    function check_digests_countAllOnes(uint256 bits) public pure {
        check(bits);
    }

    function testFuzz_digests_countAllOnes(uint256 bits) public pure {
        check_digests_countAllOnes(bits);
    }

    /// @dev A lane that is beyond its bound shows, whatever the other lanes hold.
    function check_digests_withinLooksAtEveryLane(uint32 distances, uint32 bounds) public pure {
        uint256 x = spread(distances);
        bool all = true;
        for (uint256 lane; lane < 4; ++lane) {
            if (uint8(distances >> (8 * lane)) > uint8(bounds >> (8 * lane))) all = false;
        }
        assert(Digests.within(x, Digests.lanes(bytes4(bounds))) == all);
    }

    function testFuzz_digests_withinLooksAtEveryLane(uint32 distances, uint32 bounds) public pure {
        check_digests_withinLooksAtEveryLane(distances, bounds);
    }

    function check(uint256 bits) internal pure {
        uint256 lanes = Digests.apart(bytes32(bits), 0);
        for (uint256 lane; lane < 4; ++lane) {
            assert(uint64(lanes >> (64 * lane)) == naive(uint64(bits >> (64 * lane))));
        }
    }

    function naive(uint64 bits) internal pure returns (uint256 ones) {
        for (uint256 i; i < 64; ++i) {
            ones += (bits >> i) & 1;
        }
    }

    /// @dev A byte to each lane.
    function spread(uint32 bits) internal pure returns (uint256) {
        return Digests.lanes(bytes4(bits));
    }
}
