// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice The id of a job.
library Jobs {
    /// @dev `Job` is 22 words, wherever it is encoded.
    uint256 private constant SIZE = 22 * 32;

    /// @notice `keccak256(abi.encode(chainid, contract, job))` of a job in calldata, which is encoded already.
    /// @dev Nothing is checked: whatever else the words are, they are not those of a job that the contract has made,
    /// and there is none with their hash.
    function id(IGenerationOracle.Job calldata job) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, chainid())
            mstore(add(words, 0x20), address())
            calldatacopy(add(words, 0x40), job, SIZE)
            hash := keccak256(words, add(SIZE, 0x40))
        }
    }

    /// @notice The same of a job that is being made.
    function idOf(IGenerationOracle.Job memory job) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), job));
    }
}
