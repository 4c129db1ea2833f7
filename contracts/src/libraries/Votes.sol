// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a vote slot holds: a sealed commitment until it is opened, and the digest afterwards.
///
/// The seal says whose the commitment is: job, round and member. So whoever opens it need not hand back the round that
/// `commit` checked. And it has a bit that no digest has: otherwise somebody could open a commitment to a digest that is
/// the seal of another member, and then open that, too.
library Votes {
    /// @dev Above the 42 bits of the colour hash, and zero in the digest of a text.
    uint256 private constant SEALED = 1 << 63;

    function seal(bytes32 jobId, uint8 number, uint256 member, bytes32 commitment) internal pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encode(jobId, number, member, commitment))) | SEALED);
    }

    function isDigest(bytes32 word) internal pure returns (bool) {
        return uint256(word) & SEALED == 0;
    }
}
