// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice Reads and writes `IGenerationOracle.Member`.
library Members {
    uint256 private constant OPERATOR = 96;
    uint256 private constant POOL = 64;
    uint256 private constant SEAT = 32;
    uint256 private constant PLACE = 24;

    function pack(address operator_, uint32 pool, uint32 seat_, uint8 place_) internal pure returns (bytes32) {
        return bytes32(
            (uint256(uint160(operator_)) << OPERATOR) | (uint256(pool) << POOL) | (uint256(seat_) << SEAT)
                | (uint256(place_) << PLACE)
        );
    }

    function wrap(bytes32[] memory packed) internal pure returns (IGenerationOracle.Member[] memory members) {
        assembly ("memory-safe") {
            members := packed // the same words under their own name
        }
    }

    /// @notice Zero for an excused seat.
    function operator(IGenerationOracle.Member self) internal pure returns (address) {
        return address(bytes20(IGenerationOracle.Member.unwrap(self)));
    }

    function isExcused(IGenerationOracle.Member self) internal pure returns (bool) {
        return operator(self) == address(0);
    }

    function seat(IGenerationOracle.Member self) internal pure returns (uint32) {
        return seatIn(slot(self));
    }

    /// @notice The seat that a vote slot belongs to.
    function seatIn(uint256 slot_) internal pure returns (uint32) {
        return uint32(slot_ >> SEAT);
    }

    function place(IGenerationOracle.Member self) internal pure returns (uint8) {
        return uint8(uint256(IGenerationOracle.Member.unwrap(self)) >> PLACE);
    }

    /// @notice The vote slot: pool, seat and place, which is all but the operator.
    function slot(IGenerationOracle.Member self) internal pure returns (uint256) {
        return uint96(uint256(IGenerationOracle.Member.unwrap(self)));
    }
}
