// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice How far two digests are apart. All four 64-bit lanes of a digest are worked on at once, in one word; a word
/// that holds one number per lane is called `lanes` here.
library Digests {
    /// @dev Reject distances of texts: as far as two lanes can be apart, so that no digest is beyond them.
    bytes4 internal constant NEVER = 0x40404040;

    /// @dev The top bit of each lane: more than any distance, so that lanes cannot borrow from each other.
    uint256 private constant TOP = 0x8000000000000000800000000000000080000000000000008000000000000000;
    uint256 private constant BYTE = 0xff;

    /// @notice Differing bits per lane, most significant lane first.
    function distances(bytes32 a, bytes32 b) internal pure returns (uint8[4] memory) {
        uint256 x = apart(a, b);
        return [uint8(x >> 192), uint8(x >> 128), uint8(x >> 64), uint8(x)];
    }

    /// @notice How `winner` sees `digest`.
    /// @param accept per lane, as is `reject`; see `lanes`
    function zone(uint256 accept, uint256 reject, bytes32 winner, bytes32 digest)
        internal
        pure
        returns (IGenerationOracle.Zone)
    {
        uint256 x = apart(winner, digest);
        if (within(x, accept)) return IGenerationOracle.Zone.Accepted;
        return within(x, reject) ? IGenerationOracle.Zone.Grey : IGenerationOracle.Zone.Rejected;
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
    function within(uint256 x, uint256 bounds) internal pure returns (bool) {
        unchecked {
            return ((bounds | TOP) - x) & TOP == TOP;
        }
    }

    /// @dev All lanes together.
    function total(uint256 x) internal pure returns (uint256) {
        unchecked {
            return (x >> 192) + ((x >> 128) & BYTE) + ((x >> 64) & BYTE) + (x & BYTE);
        }
    }

    /// @notice Spreads a byte for each lane, most significant lane first, over the lanes.
    function lanes(bytes4 bounds) internal pure returns (uint256) {
        uint256 b = uint32(bounds);
        return ((b >> 24) << 192) | (((b >> 16) & BYTE) << 128) | (((b >> 8) & BYTE) << 64) | (b & BYTE);
    }
}
