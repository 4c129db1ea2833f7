// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IRandomness: where draws get their seeds from
/// @notice A request names a value of a public source that nobody can know yet. Once it is known, anyone brings it to the
/// chain with a proof. Values are numbered; what a number means is the source's business.
interface IRandomness {
    /// @dev The proof is not one of that value.
    error WrongProof(uint64 id);

    /// @notice The value that a request made in this block is drawn by. Nobody who can still change or repeat this block's
    /// requests knows it.
    function next() external view returns (uint64 id);

    /// @notice Whether the value can be proved by now.
    function isKnown(uint64 id) external view returns (bool);

    /// @notice The value, once `proof` is checked; reverts with `WrongProof` otherwise.
    function randomness(uint64 id, bytes calldata proof) external view returns (bytes32);

    /// @notice How its values are proved, for whoever brings proofs: `randao` by the block's header, and otherwise as drand
    /// names the schemes of its beacons.
    function scheme() external view returns (string memory);

    /// @notice Seconds from the request until the value can be proved, if blocks and rounds come when they are due.
    function latency() external view returns (uint32);

    /// @notice Seconds after the request for which a proof can certainly be checked.
    function lifetime() external view returns (uint32);
}
