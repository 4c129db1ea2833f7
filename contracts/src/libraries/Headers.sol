// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Reads the RANDAO out of a block header whose hash was checked: a header that the chain accepted is sound, so
/// its fields need only be walked over. OpenZeppelin's `BlockHeader`, which takes any bytes, decodes all 21 fields and
/// costs twenty times as much; the tests hold the two together.
library Headers {
    /// @dev RLP (Yellow Paper, appendix B): a string of up to 55 bytes has its length in the first byte.
    uint256 private constant SHORT_STRING = 0x80;
    /// @dev From here on the first byte tells how many bytes tell the length.
    uint256 private constant LONG_STRING = 0xb7;
    uint256 private constant LONG_LIST = 0xf7;
    /// @dev The first seven fields of every header have the same lengths: the parent's hash, the ommers', the
    /// beneficiary, three roots, and the bloom of 256 bytes.
    uint256 private constant FIXED = 33 + 33 + 21 + 3 * 33 + 259;
    /// @dev Difficulty, number, gas limit, gas used, time, extra data. Then comes the RANDAO, where the mix hash was
    /// (EIP-4399). Later forks append fields.
    uint256 private constant FIELDS_BETWEEN = 6;

    function randao(bytes calldata header) internal pure returns (bytes32) {
        // A header is longer than 55 bytes: the list begins with its length's length.
        uint256 place = 1 + uint8(header[0]) - LONG_LIST + FIXED;
        for (uint256 i; i < FIELDS_BETWEEN; ++i) {
            place = skip(header, place);
        }
        return bytes32(header[place + 1:place + 33]);
    }

    /// @return the place after the field at `place`
    function skip(bytes calldata header, uint256 place) private pure returns (uint256) {
        uint256 first = uint8(header[place]);
        if (first < SHORT_STRING) return place + 1;
        if (first <= LONG_STRING) return place + 1 + first - SHORT_STRING;

        uint256 width = first - LONG_STRING;
        return place + 1 + width + (uint256(bytes32(header[place + 1:place + 33])) >> (256 - 8 * width));
    }
}
