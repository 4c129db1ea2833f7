// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRandomness} from "../interfaces/IRandomness.sol";
import {Bls} from "../libraries/Bls.sol";

/// @title A drand beacon of the scheme bls-unchained-g1-rfc9380, such as quicknet
/// @notice A value's number is its round's, its proof the round's signature as a point of 128 bytes (EIP-2537), and the value
/// is what drand publishes as the round's randomness. For chains whose blocks have no fresh mix of their own but the
/// precompiles of EIP-2537. Nobody can change a value, or know it before its time, unless a threshold of drand's operators
/// collude. Should drand stall, a value comes later than its time.
/// @dev drand publishes a signature compressed, and BLS libraries decompress it in one call. Here that would be two
/// exponentiations and a choice of sign to check; compressing the point that was verified is one comparison.
contract DrandRandomness is IRandomness {
    /// @dev Seconds.
    uint32 private constant LEAST_DELAY = 30;

    /// @notice Seconds from the request to its round, at least. It has to be longer than this chain's clock may lag behind
    /// drand's, and than it takes until a block is not replaced any more: who can still request when the round is out knows
    /// the value.
    uint32 public immutable delay;
    /// @notice When round 1 was, in Unix seconds.
    uint64 public immutable genesis;
    /// @notice Seconds from a round to the next.
    uint32 public immutable period;

    /// @dev `publicKey`, in words: from storage it would cost nine reads.
    bytes32 private immutable KEY_0;
    bytes32 private immutable KEY_1;
    bytes32 private immutable KEY_2;
    bytes32 private immutable KEY_3;
    bytes32 private immutable KEY_4;
    bytes32 private immutable KEY_5;
    bytes32 private immutable KEY_6;
    bytes32 private immutable KEY_7;

    error BadSchedule(uint32 period, uint32 delay);
    /// @dev Not a point of the group as EIP-2537 writes it: x, then y, the real part before the imaginary one.
    error BadPublicKey(bytes publicKey);

    constructor(uint64 genesis_, uint32 period_, uint32 delay_, bytes memory publicKey_) {
        require(period_ > 0 && delay_ >= LEAST_DELAY, BadSchedule(period_, delay_));
        require(Bls.isKey(publicKey_), BadPublicKey(publicKey_));

        (genesis, period, delay) = (genesis_, period_, delay_);
        (KEY_0, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7) =
            abi.decode(publicKey_, (bytes32, bytes32, bytes32, bytes32, bytes32, bytes32, bytes32, bytes32));
    }

    /// @inheritdoc IRandomness
    function next() external view returns (uint64 id) {
        uint256 earliest = block.timestamp + delay;
        if (earliest <= genesis) return 1;
        return 1 + uint64((earliest - genesis + period - 1) / period);
    }

    /// @inheritdoc IRandomness
    function isKnown(uint64 id) external view returns (bool) {
        return id > 0 && block.timestamp >= timeOf(id);
    }

    /// @inheritdoc IRandomness
    /// @dev Hashes the point rather than the proof's bytes, so that a signature has one value however it is written. Costs
    /// less than 135,000 gas at Prague's prices, most of it for the pairings.
    function randomness(uint64 id, bytes calldata proof) external view returns (bytes32) {
        bytes32 message = sha256(abi.encodePacked(id));
        require(Bls.verifies(publicKey(), message, proof), WrongProof(id));
        return sha256(Bls.compressed(proof));
    }

    /// @inheritdoc IRandomness
    function scheme() external pure returns (string memory) {
        return "bls-unchained-g1-rfc9380";
    }

    /// @inheritdoc IRandomness
    function latency() external view returns (uint32) {
        return delay + period;
    }

    /// @inheritdoc IRandomness
    /// @dev A signature stays true: for ever, as far as this type reaches.
    function lifetime() external pure returns (uint32) {
        return type(uint32).max;
    }

    /// @notice When a round is due, in Unix seconds. Rounds begin with 1.
    function timeOf(uint64 id) public view returns (uint256) {
        return genesis + (uint256(id) - 1) * period;
    }

    /// @notice The group's, as EIP-2537 writes points.
    function publicKey() public view returns (bytes memory) {
        return bytes.concat(KEY_0, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7);
    }
}
