// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @notice How far two digests are apart. All four 64-bit lanes of a digest are worked on at once, in one word; a word
/// that holds one number per lane is called `lanes` here.
library Digests {
    /// @dev The top bit of each lane: more than any distance, so that lanes cannot borrow from each other.
    uint256 private constant TOP = 0x8000000000000000800000000000000080000000000000008000000000000000;
    uint256 private constant BYTE = 0xff;

    /// @notice Differing bits per lane, most significant lane first.
    function distances(bytes32 a, bytes32 b) internal pure returns (uint8[4] memory) {
        uint256 lanes = apart(a, b);
        return [uint8(lanes >> 192), uint8(lanes >> 128), uint8(lanes >> 64), uint8(lanes)];
    }

    /// @notice How `winner` sees `digest`.
    function zone(IModelRegistry.ToleranceProfile memory profile, bytes32 winner, bytes32 digest)
        internal
        pure
        returns (IGenerationOracle.Zone)
    {
        uint256 lanes = apart(winner, digest);
        if (within(lanes, pack(profile.accept))) return IGenerationOracle.Zone.Accepted;
        if (within(lanes, pack(profile.reject))) return IGenerationOracle.Zone.Grey;
        return IGenerationOracle.Zone.Rejected;
    }

    /// @dev Counts the ones of each lane by adding neighbours: bits to pairs, nibbles, bytes, and then the eight bytes
    /// of a lane. A lane's count is at most 64 and fits its lowest byte.
    function apart(bytes32 a, bytes32 b) internal pure returns (uint256 x) {
        unchecked {
            x = uint256(a ^ b);
            x -= (x >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            x = (x & 0x3333333333333333333333333333333333333333333333333333333333333333)
                + ((x >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            x += x >> 8;
            x += x >> 16;
            x += x >> 32;
            x &= 0x00000000000000ff00000000000000ff00000000000000ff00000000000000ff;
        }
    }

    /// @dev Whether no lane is beyond its bound. Subtracting from the bound clears the top bit of a lane that is.
    function within(uint256 lanes, uint256 bounds) internal pure returns (bool) {
        unchecked {
            return ((bounds | TOP) - lanes) & TOP == TOP;
        }
    }

    /// @dev All lanes together.
    function total(uint256 lanes) internal pure returns (uint256) {
        unchecked {
            return (lanes >> 192) + ((lanes >> 128) & BYTE) + ((lanes >> 64) & BYTE) + (lanes & BYTE);
        }
    }

    function pack(uint8[4] memory bounds) internal pure returns (uint256) {
        return (uint256(bounds[0]) << 192) | (uint256(bounds[1]) << 128) | (uint256(bounds[2]) << 64) | bounds[3];
    }
}
