// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "./IGenerationOracle.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IVerifierStakes} from "./IVerifierStakes.sol";

/// @title GenerationLens: what nodes, pages and people ask about the oracle
/// @notice Reads only, and nothing depends on it.
interface IGenerationLens {
    /// @notice A round as it stands.
    struct RoundView {
        IGenerationOracle.Phase phase;
        /// The latest round's number.
        uint8 latest;
        /// When the phase ends, in seconds since the epoch: the draw, commit, reveal or appeal deadline; zero if it does
        /// not end by the clock.
        uint40 deadline;
        /// What its draw is seeded by (`IRandomness`); zero once drawn.
        uint64 randomnessId;
    }

    /// @notice What a request costs now.
    struct Quote {
        /// The least `Terms.share`, in wei: the model's price for the work, and three times the gas of a vote at the base fee.
        uint96 leastShare;
        /// The largest `Terms.share`, in wei.
        uint96 mostShare;
        /// In seconds: four times the model's time for the work, and at least `Windows.commit`.
        uint32 leastCommitWindow;
        /// What the request takes with the share of its terms, in wei: shares, royalty and bounties.
        uint256 fee;
    }

    /// @notice Why a safe value is what it is.
    enum SafeValueReason {
        /// It is what a quorum has at risk.
        Bonds,
        /// Zero: with a fixed seed no bond is at risk.
        FixedSeed,
        /// Zero: the pool at the request could not staff the next round three times over.
        SmallPool,
        /// Zero: more than half of the pool's slots had no seat to draw, so that a later round might not be staffed.
        Holes,
        /// Zero: nothing is ever found against a text.
        Text
    }

    /// @notice A model with its pool.
    struct ModelView {
        bytes32 modelId;
        IModelRegistry.Model model;
        IVerifierStakes.PoolView pool;
    }

    // --------------------------------------------------------------------------------------------------------- requests

    /// @notice What a request costs at the present base fee. Reverts if the model cannot be asked for the image.
    function quoteImage(
        bytes32 modelId,
        IGenerationOracle.ImageSpec calldata spec,
        IGenerationOracle.Terms calldata terms
    ) external view returns (Quote memory);

    /// @notice The same for a text.
    function quoteText(
        bytes32 modelId,
        IGenerationOracle.TextSpec calldata spec,
        IGenerationOracle.Terms calldata terms
    ) external view returns (Quote memory);

    /// @notice The models numbered from `start`, at most `limit`, in the order of registration.
    function models(uint256 start, uint256 limit) external view returns (ModelView[] memory);

    // ------------------------------------------------------------------------------------------------------------- jobs

    /// @notice Where the latest round of a job stands.
    function roundOf(IGenerationOracle.Job calldata job) external view returns (RoundView memory);

    /// @notice What each member of a round has done. Of a settled round nothing is known any more: empty.
    function stepsOf(bytes32 jobId, IGenerationOracle.Round calldata round)
        external
        view
        returns (IGenerationOracle.Step[] memory);

    /// @notice The draw that `draw` would make now.
    function drawOf(IGenerationOracle.Job calldata job, bytes calldata proof)
        external
        view
        returns (IGenerationOracle.Round memory);

    /// @notice The winner among the votes of a drawn round as they stand; no supporters if there is none.
    function winnerOf(IGenerationOracle.Job calldata job, IGenerationOracle.Round calldata round)
        external
        view
        returns (bytes32 digest, uint256 supporters);

    /// @notice What generation starts from, in every round: `keccak256(abi.encode(spec seed, draw seed of round 1))`, which
    /// nobody knows at the request, or the spec's seed if the terms fix it.
    function noiseSeed(IGenerationOracle.Job calldata job, bytes32 firstDrawSeed) external pure returns (bytes32);

    /// @notice What opening the next round costs, in wei: its shares and its bounties.
    function appealFee(IGenerationOracle.Job calldata job) external view returns (uint256);

    /// @notice What a fraud loses once it is overturned: 70 % of a quorum's bonds. Zero for a text, with a fixed seed, and where the
    /// pool at the request could not staff the next round three times over or had more holes than seats. It holds if
    /// somebody who can generate the image again watches the appeal window, and if a later round finds a quorum: whoever
    /// keeps its seats fully bound with jobs of its own, or silent, while all rounds last, gets away.
    function safeValueOf(IGenerationOracle.Job calldata job)
        external
        pure
        returns (uint256 value, SafeValueReason reason);

    // ------------------------------------------------------------------------------------------------------------ odds

    /// @notice The chance that `hostile` seats of a pool of `pool` hold a quorum of a committee, in 1e-18: exact
    /// (hypergeometric), rounded by less than 1e-17.
    function captureOdds(uint256 pool, uint256 hostile, uint8 committeeSize, bool superMajority)
        external
        pure
        returns (uint256);

    /// @notice How two digests of a model are apart, lane by lane, and how the one that won sees the other.
    function compare(bytes32 modelId, bytes32 winner, bytes32 digest)
        external
        view
        returns (uint8[4] memory distances, IGenerationOracle.Zone zone);

    function oracle() external view returns (address);
}
