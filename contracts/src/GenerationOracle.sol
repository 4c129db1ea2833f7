// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "./interfaces/IVerifierStakes.sol";
import {Digests} from "./libraries/Digests.sol";
import {Headers} from "./libraries/Headers.sol";
import {Job, Phases} from "./libraries/Phases.sol";
import {Rulings} from "./libraries/Rulings.sol";
import {Standing, Standings} from "./libraries/Standings.sol";

/// @dev Documented in IGenerationOracle.
contract GenerationOracle is IGenerationOracle, ReentrancyGuardTransient {
    using Phases for Job;
    using Rulings for Rulings.Ruling;
    using Standings for Standing;

    uint256 private constant ROUND = 1;
    uint8 private constant LEAST_COMMITTEE = 3;
    uint8 private constant MOST_COMMITTEE = 31;
    /// @dev As far back as `blockhash` reaches from the last block of the draw window.
    uint32 private constant MOST_DRAW_WINDOW = 255;
    uint32 private constant LEAST_SEED_DELAY = 2;
    uint96 private constant SHARES_PER_SEAT = 160;
    uint96 private constant BONDS_PER_SEAT = 8;

    IVerifierStakes private immutable STAKES;
    IModelRegistry private immutable MODELS;
    uint32 private immutable SEED_DELAY;
    uint32 private immutable DRAW_WINDOW;
    uint32 private immutable COMMIT_WINDOW;
    uint32 private immutable REVEAL_WINDOW;

    mapping(bytes32 jobId => Job) private _jobs;
    mapping(address account => uint256) private _credits;
    mapping(address requester => uint256) private _nonces;

    /// @param secondsPerBlock how long a block takes on this chain, at most, when all is well. Used for one check: a seat
    /// must not be withdrawn while a job that may draw it is open, so unbonding takes twice as long as the longest job.
    constructor(IVerifierStakes stakes_, IModelRegistry models_, Windows memory windows_, uint32 secondsPerBlock) {
        bool seeds = windows_.seedDelay >= LEAST_SEED_DELAY && windows_.drawWindow > windows_.seedDelay;
        bool reachable = windows_.drawWindow <= MOST_DRAW_WINDOW;
        bool open = windows_.commitWindow > 0 && windows_.revealWindow > 0 && secondsPerBlock > 0;
        uint256 longest = uint256(windows_.drawWindow) * secondsPerBlock + windows_.commitWindow + windows_.revealWindow;
        bool bonded = stakes_.unbondingTime() >= 2 * longest;
        require(seeds && reachable && open && bonded, BadWindows(windows_));

        (STAKES, MODELS) = (stakes_, models_);
        (SEED_DELAY, DRAW_WINDOW) = (windows_.seedDelay, windows_.drawWindow);
        (COMMIT_WINDOW, REVEAL_WINDOW) = (windows_.commitWindow, windows_.revealWindow);
    }

    // ------------------------------------------------------------------------------------------------------- the phases

    /// @inheritdoc IGenerationOracle
    function requestImage(bytes32 modelId, ImageSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32 jobId)
    {
        _checkSpec(modelId, spec);
        _checkTerms(modelId, terms);

        bytes32 specHash = keccak256(abi.encode(IModelRegistry.Kind.Image, spec));
        uint256 nonce = _nonces[msg.sender]++;
        jobId = keccak256(abi.encode(block.chainid, address(this), msg.sender, nonce, modelId, specHash, terms));
        Job storage paid = _jobs[jobId];
        (paid.requester, paid.share) = (msg.sender, terms.share);
        (paid.modelId, paid.specHash, paid.specSeed) = (modelId, specHash, spec.seed);
        (paid.requestBlock, paid.requestTime) = (uint40(block.number), uint40(block.timestamp));
        paid.poolSlots = STAKES.slotCount(modelId);
        (paid.committeeSize, paid.fixedSeed) = (terms.committeeSize, terms.fixedSeed);

        emit Requested(jobId, msg.sender, modelId, spec, terms);
    }

    /// @inheritdoc IGenerationOracle
    function draw(bytes32 jobId, bytes calldata header) external {
        Job storage drawn = _expect(jobId, Phase.Draw);
        bytes32 drawSeed = keccak256(abi.encode(_randao(drawn.seedBlock(windows()), header), jobId, ROUND));
        bytes32 modelId = drawn.modelId;
        uint32[] memory seats =
            STAKES.committee(modelId, drawSeed, drawn.poolSlots, drawn.requestTime, drawn.committeeSize);

        drawn.drawSeed = drawSeed;
        drawn.drawnAt = uint40(block.timestamp);
        drawn.seats = uint8(seats.length);

        emit Drawn(jobId, drawSeed, seats, drawn.commitDeadline(windows()), drawn.revealDeadline(windows()));

        address[] memory operators = STAKES.bind(modelId, seats, _bondOf(modelId));
        drawn.undecided = _seat(drawn, seats, operators);
    }

    /// @inheritdoc IGenerationOracle
    function commit(bytes32 jobId, uint256 member, bytes32 drawSeed, bytes32 commitment) external {
        Job storage open = _expect(jobId, Phase.Commit);
        Vote storage vote = _undecided(open, jobId, member);
        require(commitment != 0, EmptyCommitment());
        require(drawSeed == open.drawSeed, OtherDraw(drawSeed, open.drawSeed));

        (vote.step, vote.value) = (Step.Committed, commitment);
        open.undecided -= 1;
        open.unopened += 1;

        emit Committed(jobId, vote.seat, commitment);
    }

    /// @inheritdoc IGenerationOracle
    function decline(bytes32 jobId, uint256 member) external {
        Job storage open = _expect(jobId, Phase.Commit);
        Vote storage vote = _undecided(open, jobId, member);

        vote.step = Step.Declined;
        open.undecided -= 1;

        emit Declined(jobId, vote.seat);
    }

    /// @inheritdoc IGenerationOracle
    function reveal(bytes32 jobId, uint256 member, bytes32 digest, bytes32 contentHash, bytes32 salt) external {
        Job storage open = _expect(jobId, Phase.Reveal);
        Vote storage vote = _voteOf(open, jobId, member);
        uint32 seat = vote.seat;
        require(vote.step == Step.Committed, NotCommitted(jobId, seat));
        bool opens = vote.value == commitmentOf(jobId, ROUND, seat, digest, contentHash, salt);
        require(opens, WrongOpening(jobId, seat));

        (vote.step, vote.value) = (Step.Revealed, digest);
        open.unopened -= 1;

        emit Revealed(jobId, seat, digest, contentHash);
    }

    /// @inheritdoc IGenerationOracle
    function settle(bytes32 jobId) external nonReentrant {
        Job storage done = _expect(jobId, Phase.Settle);
        Vote[] memory cast = _votesOf(done);
        Rulings.Ruling memory ruling = Rulings.rule(cast, _termsOf(done), MODELS.profileOf(done.modelId));

        (done.outcome, done.winner) = (ruling.outcome, uint8(ruling.winner));

        emit Settled(jobId, ruling.outcome, ruling.digest, ruling.supporters(cast));

        address[] memory owners = _release(jobId, done, cast, ruling.standings);
        uint256 paid = _pay(jobId, done.share, cast, ruling.standings, owners);
        _refund(jobId, done, _escrowOf(done) - paid);
    }

    /// @inheritdoc IGenerationOracle
    function expire(bytes32 jobId) external {
        Job storage done = _expect(jobId, Phase.Expired);

        done.outcome = Outcome.Expired;

        emit Settled(jobId, Outcome.Expired, 0, new uint32[](0));
        _refund(jobId, done, _escrowOf(done));
    }

    /// @inheritdoc IGenerationOracle
    function withdraw(address payable to) external nonReentrant returns (uint256 amount) {
        amount = _credits[msg.sender];
        require(amount > 0, NothingToWithdraw(msg.sender));

        _credits[msg.sender] = 0;

        emit Withdrawn(msg.sender, to, amount);

        Address.sendValue(to, amount);
    }

    // -------------------------------------------------------------------------------------------------------- the views

    /// @inheritdoc IGenerationOracle
    function job(bytes32 jobId) external view returns (JobView memory) {
        Job storage it = _jobs[jobId];
        Windows memory times = windows();
        bool known = it.requester != address(0);
        return JobView({
            requester: it.requester,
            modelId: it.modelId,
            terms: _termsOf(it),
            specHash: it.specHash,
            specSeed: it.specSeed,
            requestBlock: it.requestBlock,
            requestTime: it.requestTime,
            poolSlots: it.poolSlots,
            seedBlock: known ? it.seedBlock(times) : 0,
            drawDeadline: known ? it.drawDeadline(times) : 0,
            drawSeed: it.drawSeed,
            commitDeadline: it.commitDeadline(times),
            revealDeadline: it.revealDeadline(times),
            bond: known ? _bondOf(it.modelId) : 0,
            phase: it.phase(times),
            outcome: it.outcome,
            digest: it.outcome == Outcome.Accepted ? it.votes[it.winner].value : bytes32(0)
        });
    }

    /// @inheritdoc IGenerationOracle
    function votes(bytes32 jobId) external view returns (Vote[] memory) {
        return _votesOf(_jobs[jobId]);
    }

    /// @inheritdoc IGenerationOracle
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    /// @inheritdoc IGenerationOracle
    function nonceOf(address requester) external view returns (uint256) {
        return _nonces[requester];
    }

    /// @inheritdoc IGenerationOracle
    function windows() public view returns (Windows memory) {
        return Windows({
            seedDelay: SEED_DELAY, drawWindow: DRAW_WINDOW, commitWindow: COMMIT_WINDOW, revealWindow: REVEAL_WINDOW
        });
    }

    /// @inheritdoc IGenerationOracle
    function noiseSeed(bytes32 jobId) external view returns (bytes32) {
        Job storage it = _jobs[jobId];
        if (it.drawnAt == 0) return 0;
        return it.fixedSeed ? it.specSeed : keccak256(abi.encode(it.specSeed, it.drawSeed));
    }

    /// @inheritdoc IGenerationOracle
    function commitmentOf(bytes32 jobId, uint256 round, uint32 seat, bytes32 digest, bytes32 contentHash, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), jobId, round, seat, digest, contentHash, salt));
    }

    /// @inheritdoc IGenerationOracle
    function compare(bytes32 modelId, bytes32 winner, bytes32 digest)
        external
        view
        returns (uint8[4] memory distances, Zone zone)
    {
        distances = Digests.distances(winner, digest);
        zone = Digests.zone(MODELS.profileOf(modelId), winner, digest);
    }

    /// @inheritdoc IGenerationOracle
    function stakes() external view returns (address) {
        return address(STAKES);
    }

    /// @inheritdoc IGenerationOracle
    function models() external view returns (address) {
        return address(MODELS);
    }

    // ------------------------------------------------------------------------------------------------------ the request

    function _checkSpec(bytes32 modelId, ImageSpec calldata spec) private view {
        IModelRegistry.ImageRequest memory request = IModelRegistry.ImageRequest({
            promptBytes: spec.prompt.length,
            negativePromptBytes: spec.negativePrompt.length,
            width: spec.width,
            height: spec.height,
            steps: spec.steps,
            guidance: spec.guidance
        });
        MODELS.checkImage(modelId, request);
    }

    function _checkTerms(bytes32 modelId, Terms calldata terms) private view {
        uint8 size = terms.committeeSize;
        bool sized = size >= LEAST_COMMITTEE && size <= MOST_COMMITTEE && size % 2 == 1;
        require(sized, WrongCommitteeSize(size));

        uint96 most = MODELS.seatStakeOf(modelId) / SHARES_PER_SEAT;
        require(terms.share > 0 && terms.share <= most, ShareOutOfRange(terms.share, most));

        uint256 fee = uint256(size) * terms.share;
        require(msg.value == fee, WrongPayment(msg.value, fee));

        uint256 active = STAKES.activeSeats(modelId);
        require(active >= size, PoolTooSmall(modelId, active, size));
    }

    // --------------------------------------------------------------------------------------------------------- the draw

    /// @dev The hash is checked before a byte is parsed, so that what is parsed is a header that the chain accepted, with
    /// whatever fields later forks append.
    function _randao(uint256 seedBlock, bytes calldata header) private view returns (bytes32) {
        require(keccak256(header) == blockhash(seedBlock), WrongHeader(seedBlock));
        return Headers.randao(header);
    }

    /// @return undecided seats that take part
    function _seat(Job storage drawn, uint32[] memory seats, address[] memory operators)
        private
        returns (uint8 undecided)
    {
        for (uint256 member; member < seats.length; ++member) {
            Vote storage vote = drawn.votes[member];
            (vote.operator, vote.seat) = (operators[member], seats[member]);
            if (operators[member] == address(0)) vote.step = Step.Excused;
            else undecided += 1;
        }
    }

    // -------------------------------------------------------------------------------------------------------- the votes

    function _voteOf(Job storage open, bytes32 jobId, uint256 member) private view returns (Vote storage vote) {
        vote = open.votes[member];
        require(vote.operator == msg.sender, NotOperator(jobId, member, msg.sender));
    }

    function _undecided(Job storage open, bytes32 jobId, uint256 member) private view returns (Vote storage vote) {
        vote = _voteOf(open, jobId, member);
        require(vote.step == Step.Drawn, AlreadyVoted(jobId, vote.seat));
    }

    function _votesOf(Job storage it) private view returns (Vote[] memory cast) {
        cast = new Vote[](it.seats);
        for (uint256 member; member < cast.length; ++member) {
            cast[member] = it.votes[member];
        }
    }

    // --------------------------------------------------------------------------------------------------- the settlement

    /// @return owners of the seats, by member
    function _release(bytes32 jobId, Job storage done, Vote[] memory cast, Standing[] memory standings)
        private
        returns (address[] memory owners)
    {
        (uint96 share, uint96 bond) = (done.share, _bondOf(done.modelId));
        IVerifierStakes.Penalty[] memory penalties = new IVerifierStakes.Penalty[](cast.length);
        for (uint256 member; member < cast.length; ++member) {
            penalties[member] = IVerifierStakes.Penalty({
                seat: cast[member].seat,
                bond: cast[member].step == Step.Excused ? 0 : bond,
                burned: standings[member].burned(share, bond),
                evict: standings[member] == Standing.Silent
            });
        }
        return STAKES.release(jobId, done.modelId, penalties);
    }

    /// @return paid in wei, to all
    function _pay(bytes32 jobId, uint96 share, Vote[] memory cast, Standing[] memory standings, address[] memory owners)
        private
        returns (uint256 paid)
    {
        for (uint256 member; member < cast.length; ++member) {
            uint256 amount = standings[member].earned(share);
            if (amount == 0) continue;

            _credits[owners[member]] += amount;
            paid += amount;
            emit Paid(jobId, cast[member].seat, owners[member], amount);
        }
    }

    function _refund(bytes32 jobId, Job storage done, uint256 amount) private {
        if (amount == 0) return;

        _credits[done.requester] += amount;
        emit Refunded(jobId, done.requester, amount);
    }

    function _termsOf(Job storage it) private view returns (Terms memory) {
        return Terms({committeeSize: it.committeeSize, fixedSeed: it.fixedSeed, share: it.share});
    }

    function _escrowOf(Job storage it) private view returns (uint256) {
        return uint256(it.committeeSize) * it.share;
    }

    function _bondOf(bytes32 modelId) private view returns (uint96) {
        return MODELS.seatStakeOf(modelId) / BONDS_PER_SEAT;
    }

    function _expect(bytes32 jobId, Phase expected) private view returns (Job storage it) {
        it = _jobs[jobId];
        Phase actual = it.phase(windows());
        require(actual == expected, WrongPhase(jobId, expected, actual));
    }
}
