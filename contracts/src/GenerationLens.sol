// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationLens} from "./interfaces/IGenerationLens.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {IVerifierStakes} from "./interfaces/IVerifierStakes.sol";
import {Digests} from "./libraries/Digests.sol";
import {Fees} from "./libraries/Fees.sol";
import {Members} from "./libraries/Members.sol";
import {Odds} from "./libraries/Odds.sol";
import {Rounds} from "./libraries/Rounds.sol";
import {Rulings} from "./libraries/Rulings.sol";
import {Specs} from "./libraries/Specs.sol";
import {Tally} from "./libraries/Tally.sol";

/// @dev Documented in IGenerationLens.
contract GenerationLens is IGenerationLens {
    using Fees for IGenerationOracle.Job;
    using Members for IGenerationOracle.Member;
    using Rounds for IGenerationOracle.RoundState;
    using Specs for IGenerationOracle.ImageSpec;
    using Specs for IGenerationOracle.TextSpec;

    uint8 private constant FIRST = 1;

    IGenerationOracle private immutable ORACLE;
    IModelRegistry private immutable MODELS;
    IRandomness private immutable RANDOMNESS;

    constructor(IGenerationOracle oracle_) {
        ORACLE = oracle_;
        (MODELS, RANDOMNESS) = (IModelRegistry(oracle_.models()), IRandomness(oracle_.randomness()));
    }

    // --------------------------------------------------------------------------------------------------------- requests

    /// @inheritdoc IGenerationLens
    function quoteImage(
        bytes32 modelId,
        IGenerationOracle.ImageSpec calldata spec,
        IGenerationOracle.Terms calldata terms
    ) external view returns (Quote memory) {
        return _quote(MODELS.offerForImage(modelId, spec.measured()), terms);
    }

    /// @inheritdoc IGenerationLens
    function quoteText(
        bytes32 modelId,
        IGenerationOracle.TextSpec calldata spec,
        IGenerationOracle.Terms calldata terms
    ) external view returns (Quote memory) {
        return _quote(MODELS.offerForText(modelId, spec.measured()), terms);
    }

    function _quote(IModelRegistry.Offer memory offer, IGenerationOracle.Terms calldata terms)
        private
        view
        returns (Quote memory asked)
    {
        uint32 least = ORACLE.windows().commit;
        (asked.leastShare, asked.mostShare) = (offer.leastShare, offer.mostShare);
        asked.leastCommitWindow = offer.patience > least ? offer.patience : least;

        IGenerationOracle.Job memory job;
        (job.terms, job.royalty, job.gasPrice) = (terms, offer.royalty, uint64(2 * block.basefee));
        asked.fee = job.feeOf();
    }

    /// @inheritdoc IGenerationLens
    function models(uint256 start, uint256 limit) external view returns (ModelView[] memory page) {
        bytes32[] memory ids = MODELS.modelIds(start, limit);
        page = new ModelView[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            page[i] = ModelView({
                modelId: ids[i], model: MODELS.modelOf(ids[i]), pool: IVerifierStakes(address(ORACLE)).poolOf(ids[i])
            });
        }
    }

    // ------------------------------------------------------------------------------------------------------------- jobs

    /// @inheritdoc IGenerationLens
    function roundOf(IGenerationOracle.Job calldata job) external view returns (RoundView memory round) {
        (IGenerationOracle.RoundState memory state, uint8 number) = _latest(ORACLE.idOf(job));
        uint32 reveal = ORACLE.windows().reveal;
        IGenerationOracle.Phase phase = state.phase(reveal, job.appealWindow, number);
        round.latest = number;
        if (state.stage == IGenerationOracle.Stage.Opened) {
            round.randomnessId = uint64(uint136(state.hash));
            bool open = phase == IGenerationOracle.Phase.Requested;
            if (open && RANDOMNESS.isKnown(round.randomnessId)) phase = IGenerationOracle.Phase.Draw;
        }
        round.phase = phase;
        if (phase <= IGenerationOracle.Phase.Commit) round.deadline = state.clock;
        if (phase == IGenerationOracle.Phase.Reveal) round.deadline = state.clock + reveal;
        if (phase == IGenerationOracle.Phase.Appeal) {
            round.deadline = uint40(state.closedAt(reveal)) + job.appealWindow;
        }
    }

    /// @inheritdoc IGenerationLens
    function stepsOf(bytes32 jobId, IGenerationOracle.Round calldata round)
        external
        view
        returns (IGenerationOracle.Step[] memory steps)
    {
        IGenerationOracle.RoundState memory state = ORACLE.stateOf(jobId, round.number);
        if (state.stage != IGenerationOracle.Stage.Drawn) return steps;

        _checkRound(jobId, state, round);
        steps = new IGenerationOracle.Step[](round.members.length);
        for (uint256 i; i < steps.length; ++i) {
            steps[i] = state.stepOf(i);
        }
    }

    /// @inheritdoc IGenerationLens
    function drawOf(IGenerationOracle.Job calldata job, bytes calldata proof)
        external
        view
        returns (IGenerationOracle.Round memory round)
    {
        bytes32 jobId = ORACLE.idOf(job);
        (IGenerationOracle.RoundState memory state, uint8 number) = _latest(jobId);
        bool waits = state.stage == IGenerationOracle.Stage.Opened;
        require(waits, IGenerationOracle.WrongPhase(IGenerationOracle.Phase.Draw));

        bytes32 random = RANDOMNESS.randomness(uint64(uint136(state.hash)), proof);
        round.number = number;
        round.drawSeed = Rounds.drawSeed(random, jobId, number);
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        IVerifierStakes stakes = IVerifierStakes(address(ORACLE));
        round.members =
            Members.wrap(stakes.committee(job.modelId, round.drawSeed, job.poolSlots, job.requestedAt, size));
    }

    /// @inheritdoc IGenerationLens
    function winnerOf(IGenerationOracle.Job calldata job, IGenerationOracle.Round calldata round)
        external
        view
        returns (bytes32 digest, uint256 supporters)
    {
        bytes32 jobId = ORACLE.idOf(job);
        IGenerationOracle.RoundState memory state = ORACLE.stateOf(jobId, round.number);
        bool drawn = state.stage == IGenerationOracle.Stage.Drawn;
        require(drawn, IGenerationOracle.WrongPhase(IGenerationOracle.Phase.Appeal));
        _checkRound(jobId, state, round);

        Rulings.Ballot memory ballot;
        bytes32[] memory digests = new bytes32[](round.members.length);
        uint256 revealed;
        for (uint256 i; i < digests.length; ++i) {
            bool open = state.stepOf(i) == IGenerationOracle.Step.Revealed;
            if (open) digests[revealed++] = ORACLE.voteOf(round.members[i].slot());
        }
        Rulings.cut(digests, revealed);
        ballot.digests = digests;
        return Rulings.winnerOf(Rulings.rulesOf(job, round.number), ballot);
    }

    /// @inheritdoc IGenerationLens
    function noiseSeed(IGenerationOracle.Job calldata job, bytes32 firstDrawSeed) external pure returns (bytes32) {
        return job.terms.fixedSeed ? job.specSeed : keccak256(abi.encode(job.specSeed, firstDrawSeed));
    }

    /// @inheritdoc IGenerationLens
    function appealFee(IGenerationOracle.Job calldata job) external view returns (uint256) {
        uint8 number = ORACLE.stateOf(ORACLE.idOf(job), FIRST).latest + 1;
        return job.escrowOf(number, Rulings.sizeOf(job.terms.committeeSize, number));
    }

    /// @inheritdoc IGenerationLens
    function safeValueOf(IGenerationOracle.Job calldata job)
        external
        pure
        returns (uint256 value, SafeValueReason reason)
    {
        value = Rulings.safeValue(job);
        if (job.terms.fixedSeed) reason = SafeValueReason.FixedSeed;
        else if (Rulings.isText(job)) reason = SafeValueReason.Text;
        else if (Rulings.isSmall(job)) reason = SafeValueReason.SmallPool;
        else if (Rulings.hasHoles(job)) reason = SafeValueReason.Holes;
    }

    // ------------------------------------------------------------------------------------------------------------ odds

    /// @inheritdoc IGenerationLens
    function captureOdds(uint256 pool, uint256 hostile, uint8 committeeSize, bool superMajority)
        external
        pure
        returns (uint256)
    {
        return Odds.atLeast(Tally.quorum(committeeSize, superMajority), committeeSize, hostile, pool);
    }

    /// @inheritdoc IGenerationLens
    function compare(bytes32 modelId, bytes32 winner, bytes32 digest)
        external
        view
        returns (uint8[4] memory distances, IGenerationOracle.Zone zone)
    {
        IModelRegistry.Model memory model = MODELS.modelOf(modelId);
        distances = Digests.distances(winner, digest);
        zone = Digests.zone(Digests.lanes(model.accept), Digests.lanes(model.reject), winner, digest);
    }

    /// @inheritdoc IGenerationLens
    function oracle() external view returns (address) {
        return address(ORACLE);
    }

    function _latest(bytes32 jobId) private view returns (IGenerationOracle.RoundState memory state, uint8 number) {
        state = ORACLE.stateOf(jobId, FIRST);
        number = state.latest;
        if (number > FIRST) state = ORACLE.stateOf(jobId, number);
    }

    function _checkRound(
        bytes32 jobId,
        IGenerationOracle.RoundState memory state,
        IGenerationOracle.Round calldata round
    ) private pure {
        bool drawn = state.hash == Rounds.hashOfDrawn(round);
        require(drawn, IGenerationOracle.WrongRound(jobId, round.number));
    }
}
