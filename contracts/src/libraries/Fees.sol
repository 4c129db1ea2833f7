// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @notice What a job costs, and who is paid what of it besides its committee. In wei; every division rounds in favour of
/// the contract, and what rounding leaves goes back to the requester.
library Fees {
    uint256 private constant MILLION = 1e6;
    /// @dev Of a commitment and its opening, with some to spare.
    uint256 internal constant VOTE_GAS = 110_000;
    uint96 private constant SHARES_PER_SEAT = 160;
    uint256 private constant ROYALTY_UNIT = 10_000;

    /// @notice Steps times pixels.
    function workOf(IGenerationOracle.ImageSpec calldata spec) internal pure returns (uint256) {
        return uint256(spec.steps) * spec.width * spec.height;
    }

    /// @notice The price of the work, and three votes' gas at the base fee, so that a vote pays up to a tripled one.
    function leastShare(IModelRegistry.Model memory model, uint256 work) internal view returns (uint96) {
        uint256 least = Math.ceilDiv(work * model.price, MILLION) + 3 * VOTE_GAS * block.basefee;
        return uint96(Math.min(least, type(uint96).max));
    }

    /// @notice So many that the bond is at least 20 of them.
    function mostShare(IModelRegistry.Model memory model) internal pure returns (uint96) {
        return model.seatStake / SHARES_PER_SEAT;
    }

    /// @notice Seconds that four generations take.
    function patience(IModelRegistry.Model memory model, uint256 work) internal pure returns (uint32) {
        uint256 seconds_ = Math.ceilDiv(4 * work * model.time, 1000 * MILLION);
        return uint32(Math.min(seconds_, type(uint32).max));
    }

    /// @notice The royalty on `earned`.
    function royaltyOn(IGenerationOracle.Job memory job, uint256 earned) internal pure returns (uint256) {
        return earned * job.royalty / ROYALTY_UNIT;
    }

    /// @notice All that a round can pay: shares, the first round's royalty, and the bounties for its draw and settlement.
    function escrowOf(IGenerationOracle.Job memory job, uint8 number, uint256 size) internal pure returns (uint256) {
        uint256 shares = size * job.terms.share;
        uint256 extra = number == 1 ? royaltyOn(job, shares) : 0;
        return shares + extra + drawBounty(job, size) + settleBounty(job, size);
    }

    function drawBounty(IGenerationOracle.Job memory job, uint256 size) internal pure returns (uint256) {
        return (60_000 + 15_000 * size) * job.gasPrice;
    }

    function settleBounty(IGenerationOracle.Job memory job, uint256 size) internal pure returns (uint256) {
        return (60_000 + 30_000 * size) * job.gasPrice;
    }

    function deliverBounty(IGenerationOracle.Job memory job) internal pure returns (uint256) {
        return job.terms.consumer == address(0) ? 0 : (80_000 + uint256(job.terms.consumerGas)) * job.gasPrice;
    }
}
