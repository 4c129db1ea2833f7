// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRandomness} from "../interfaces/IRandomness.sol";
import {Headers} from "../libraries/Headers.sol";

/// @title The RANDAO of the beacon chain, a value a block (EIP-4399)
/// @notice A value's number is its block's, and its proof the block's RLP-encoded header. For chains where every block has a
/// fresh mix that nobody knows beforehand, such as Ethereum. Who proposes the last blocks before the value may skip
/// them, which gives one more try for each.
contract RandaoRandomness is IRandomness {
    uint32 private constant LEAST_DELAY = 2;
    /// @dev How far back `blockhash` reaches.
    uint32 private constant REACH = 256;

    /// @notice Blocks from the request to its value's: at least 2, because the proposer of block N knows the mix of N+1.
    uint32 public immutable delay;
    uint32 private immutable SECONDS_PER_BLOCK;

    error BadDelay(uint32 delay, uint32 secondsPerBlock);

    /// @param secondsPerBlock the least time between two blocks of this chain
    constructor(uint32 delay_, uint32 secondsPerBlock) {
        bool sound = delay_ >= LEAST_DELAY && delay_ < REACH - 1 && secondsPerBlock > 0;
        require(sound, BadDelay(delay_, secondsPerBlock));

        (delay, SECONDS_PER_BLOCK) = (delay_, secondsPerBlock);
    }

    /// @inheritdoc IRandomness
    function next() external view returns (uint64 id) {
        return uint64(block.number) + delay;
    }

    /// @inheritdoc IRandomness
    function isKnown(uint64 id) external view returns (bool) {
        return block.number > id;
    }

    /// @inheritdoc IRandomness
    /// @dev The hash is checked before a byte is parsed, so that what is parsed is a header that the chain accepted, with
    /// whatever fields later forks append. The hash of a block that is not mined yet, or out of reach, is zero, which
    /// no header has.
    function randomness(uint64 id, bytes calldata proof) external view returns (bytes32) {
        require(keccak256(proof) == blockhash(id), WrongProof(id));
        return Headers.randao(proof);
    }

    /// @inheritdoc IRandomness
    function scheme() external pure returns (string memory) {
        return "randao";
    }

    /// @inheritdoc IRandomness
    /// @dev The header of a block is known to the next one.
    function latency() external view returns (uint32) {
        return (delay + 1) * SECONDS_PER_BLOCK;
    }

    /// @inheritdoc IRandomness
    function lifetime() external view returns (uint32) {
        return (REACH - 1) * SECONDS_PER_BLOCK;
    }
}
