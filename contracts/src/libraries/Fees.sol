// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice What a job costs, and who is paid what of it besides its committee. In wei; every division rounds in favour of
/// the contract, and what rounding leaves goes back to the requester. Unchecked: no sum or product here has more than 128
/// bits.
library Fees {
    uint256 private constant ROYALTY_UNIT = 10_000;

    /// @notice The royalty on `earned`.
    function royaltyOn(IGenerationOracle.Job memory job, uint256 earned) internal pure returns (uint256) {
        unchecked {
            return earned * job.royalty / ROYALTY_UNIT;
        }
    }

    /// @notice All that a round can pay: shares, the first round's royalty, and the bounties for its draw and
    /// settlement.
    function escrowOf(IGenerationOracle.Job memory job, uint8 number, uint256 size) internal pure returns (uint256) {
        unchecked {
            uint256 shares = size * job.terms.share;
            uint256 extra = number == 1 ? royaltyOn(job, shares) : 0;
            return shares + extra + drawBounty(job, size) + settleBounty(job, size);
        }
    }

    /// @notice All that a request takes.
    function feeOf(IGenerationOracle.Job memory job) internal pure returns (uint256) {
        unchecked {
            return escrowOf(job, 1, job.terms.committeeSize) + deliverBounty(job);
        }
    }

    function drawBounty(IGenerationOracle.Job memory job, uint256 size) internal pure returns (uint256) {
        return drawBounty(job.gasPrice, size);
    }

    function drawBounty(uint256 gasPrice, uint256 size) internal pure returns (uint256) {
        unchecked {
            return (60_000 + 15_000 * size) * gasPrice;
        }
    }

    function settleBounty(IGenerationOracle.Job memory job, uint256 size) internal pure returns (uint256) {
        unchecked {
            return (60_000 + 30_000 * size) * job.gasPrice;
        }
    }

    function deliverBounty(IGenerationOracle.Job memory job) internal pure returns (uint256) {
        unchecked {
            return job.terms.consumer == address(0) ? 0 : (80_000 + uint256(job.terms.consumerGas)) * job.gasPrice;
        }
    }
}
