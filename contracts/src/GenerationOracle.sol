// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {OracleBase} from "./OracleBase.sol";
import {OracleExtension} from "./OracleExtension.sol";
import {VerifierStakes} from "./VerifierStakes.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {Delegations} from "./libraries/Delegations.sol";
import {Fees} from "./libraries/Fees.sol";
import {Jobs} from "./libraries/Jobs.sol";
import {Members} from "./libraries/Members.sol";
import {Rounds} from "./libraries/Rounds.sol";
import {Rulings} from "./libraries/Rulings.sol";
import {Pool, Seats} from "./libraries/Seats.sol";
import {Specs} from "./libraries/Specs.sol";
import {Appeal, Books, Settlements} from "./libraries/Settlements.sol";
import {Votes} from "./libraries/Votes.sol";

/// @dev Documented in IGenerationOracle.
contract GenerationOracle is IGenerationOracle, VerifierStakes {
    using Fees for Job;
    using Jobs for Job;
    using Members for Member;
    using Rounds for RoundState;
    using Seats for Pool;
    using Specs for ImageSpec;
    using Specs for TextSpec;
    using Settlements for Books;

    uint8 private constant LEAST_COMMITTEE = 3;
    uint8 private constant MOST_COMMITTEE = 31;
    uint8 private constant LEAST_SUPER_MAJORITY = 5;
    uint32 private constant MOST_CONSUMER_GAS = 500_000;

    OracleExtension private immutable EXTENSION;
    uint32 private immutable COMMIT_WINDOW;
    uint32 private immutable MOST_COMMIT_WINDOW;
    uint32 private immutable APPEAL_WINDOW;

    mapping(address requester => mapping(uint256 word => uint256)) private _usedNonces;

    /// @param unbonding seconds: a seat must not be withdrawn while a job that may draw it can still be appealed, so it is at
    /// least as long as the four longest rounds
    constructor(
        IModelRegistry models_,
        IRandomness randomness_,
        Windows memory windows_,
        uint32 seatAge_,
        uint32 unbonding
    ) VerifierStakes(models_, seatAge_, unbonding) OracleBase(randomness_, windows_) {
        bool open = windows_.commit > 0 && windows_.reveal > 0 && windows_.appeal > 0;
        bool drawable = windows_.draw > randomness_.latency() && windows_.draw <= randomness_.lifetime();
        bool reachable = drawable && windows_.commit <= windows_.mostCommit;
        uint256 appealed = windows_.appeal > windows_.mostCommit ? windows_.appeal : windows_.mostCommit;
        uint256 longest = uint256(windows_.draw) + windows_.mostCommit + windows_.reveal + appealed;
        require(open && reachable && unbonding >= Rounds.MOST_ROUNDS * longest, BadWindows(windows_));

        EXTENSION = new OracleExtension(randomness_, windows_);
        (COMMIT_WINDOW, MOST_COMMIT_WINDOW) = (windows_.commit, windows_.mostCommit);
        APPEAL_WINDOW = windows_.appeal;
    }

    // ------------------------------------------------------------------------------------------------------- the request

    /// @inheritdoc IGenerationOracle
    function requestImage(bytes32 modelId, ImageSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32)
    {
        return _requestImage(msg.sender, modelId, spec, terms, type(uint256).max);
    }

    /// @inheritdoc IGenerationOracle
    function requestText(bytes32 modelId, TextSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32)
    {
        return _requestText(msg.sender, modelId, spec, terms, type(uint256).max);
    }

    /// @inheritdoc IGenerationOracle
    function requestImageFor(DelegatedImage calldata delegated, bytes calldata signature) external returns (bytes32) {
        address signer = delegated.requester;
        _useNonce(signer, delegated.nonce, delegated.deadline);
        require(Delegations.isSigned(delegated, signature), WrongSignature(signer));
        return _requestImage(signer, delegated.modelId, delegated.spec, delegated.terms, delegated.mostFee);
    }

    /// @inheritdoc IGenerationOracle
    function requestTextFor(DelegatedText calldata delegated, bytes calldata signature) external returns (bytes32) {
        address signer = delegated.requester;
        _useNonce(signer, delegated.nonce, delegated.deadline);
        require(Delegations.isSigned(delegated, signature), WrongSignature(signer));
        return _requestText(signer, delegated.modelId, delegated.spec, delegated.terms, delegated.mostFee);
    }

    /// @dev Before the signature is asked for: a wallet that is a contract finds the nonce used.
    function _useNonce(address signer, uint256 nonce, uint256 deadline) private {
        require(block.timestamp <= deadline, DelegationOver(deadline));
        (uint256 word, uint256 bit) = (nonce >> 8, 1 << (nonce & 0xff));
        require(_usedNonces[signer][word] & bit == 0, NonceUsed(signer, nonce));

        _usedNonces[signer][word] |= bit;
    }

    function _requestImage(
        address requester,
        bytes32 modelId,
        ImageSpec calldata spec,
        Terms calldata terms,
        uint256 mostFee
    ) private returns (bytes32 jobId) {
        Job memory job = _jobOf(requester, modelId, terms, MODELS.offerForImage(modelId, spec.measured()));
        (job.specHash, job.specSeed) = (spec.hashOf(), spec.seed);
        jobId = _pay(job, mostFee);

        emit ImageRequested(jobId, requester, modelId, job, spec);
        _open(jobId, FIRST, requester);
    }

    function _requestText(
        address requester,
        bytes32 modelId,
        TextSpec calldata spec,
        Terms calldata terms,
        uint256 mostFee
    ) private returns (bytes32 jobId) {
        Job memory job = _jobOf(requester, modelId, terms, MODELS.offerForText(modelId, spec.measured()));
        job.specHash = spec.hashOf();
        jobId = _pay(job, mostFee);

        emit TextRequested(jobId, requester, modelId, job, spec);
        _open(jobId, FIRST, requester);
    }

    /// @return jobId once nothing of the job changes any more
    function _pay(Job memory job, uint256 mostFee) private returns (bytes32 jobId) {
        uint256 fee = job.feeOf();
        require(fee <= mostFee, FeeAboveLimit(fee, mostFee));
        job.nonce = _charge(job.requester, fee);
        return job.idOf();
    }

    function _checkTerms(IModelRegistry.Offer memory offer, Terms calldata terms) private view {
        uint8 size = terms.committeeSize;
        bool sized = size >= LEAST_COMMITTEE && size <= MOST_COMMITTEE && size % 2 == 1;
        require(sized, WrongCommitteeSize(size));
        require(!terms.superMajority || size >= LEAST_SUPER_MAJORITY, SuperMajorityTooSmall(size));

        bool paid = terms.share >= offer.leastShare && terms.share <= offer.mostShare && terms.share > 0;
        require(paid, ShareOutOfRange(terms.share, offer.leastShare, offer.mostShare));

        uint32 least = _max(offer.patience, COMMIT_WINDOW);
        bool timed = terms.commitWindow >= least && terms.commitWindow <= MOST_COMMIT_WINDOW;
        require(timed, CommitWindowOutOfRange(terms.commitWindow, least, MOST_COMMIT_WINDOW));

        bool called = terms.consumerGas <= MOST_CONSUMER_GAS && (terms.consumer != address(0) || terms.consumerGas == 0);
        require(called, WrongConsumer(terms.consumer, terms.consumerGas));
    }

    /// @dev All of a job but its spec and its nonce.
    function _jobOf(address requester, bytes32 modelId, Terms calldata terms, IModelRegistry.Offer memory offer)
        private
        view
        returns (Job memory job)
    {
        _checkTerms(offer, terms);
        PoolView memory pool = poolOf(modelId);
        require(pool.old >= terms.committeeSize, PoolTooSmall(modelId, pool.old, terms.committeeSize));

        (job.requester, job.modelId, job.terms) = (requester, modelId, terms);
        (job.bond, job.accept, job.reject) = (offer.bond, offer.accept, offer.reject);
        (job.modelOwner, job.royalty) = (offer.owner, offer.royalty);
        job.requestedAt = uint40(block.timestamp);
        (job.poolSlots, job.poolSeats) = (pool.slots, pool.old);
        job.appealWindow = _max(offer.patience, APPEAL_WINDOW);
        job.gasPrice = uint64(2 * block.basefee);
    }

    function _max(uint32 a, uint32 b) private pure returns (uint32) {
        return a > b ? a : b;
    }

    // ---------------------------------------------------------------------------------------------------------- the draw

    /// @inheritdoc IGenerationOracle
    function draw(Job calldata job, bytes calldata proof) external {
        bytes32 jobId = job.id();
        (RoundState memory state, uint8 number) = _latest(jobId);
        (, uint256 bounty) = _draw(jobId, job, number, state, proof);

        _books.rounds[jobId][number].write(state);
        _books.credit(msg.sender, bounty);
    }

    /// @inheritdoc IGenerationOracle
    function drawAndCommit(
        Job calldata job,
        bytes calldata proof,
        Round calldata round,
        uint256 member,
        bytes32 commitment
    ) external {
        bytes32 jobId = job.id();
        (RoundState memory state, uint8 number) = _latest(jobId);
        if (state.stage != Stage.Opened) return commit(jobId, round, member, commitment);

        (Round memory drawn, uint256 bounty) = _draw(jobId, job, number, state, proof);
        require(drawn.drawSeed == round.drawSeed, OtherDraw(round.drawSeed, drawn.drawSeed));
        Member seat = drawn.members[member];
        _commit(jobId, number, state, member, seat, commitment);

        _books.rounds[jobId][number].write(state);
        _pools[job.modelId].credit(seat, bounty);
    }

    function _draw(bytes32 jobId, Job calldata job, uint8 number, RoundState memory state, bytes calldata proof)
        private
        returns (Round memory round, uint256 bounty)
    {
        require(state.stage == Stage.Opened && block.timestamp < state.clock, WrongPhase(Phase.Draw));
        bytes32 random = RANDOMNESS.randomness(uint64(uint136(state.hash)), proof);
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        uint32 bits;

        round.number = number;
        round.drawSeed = Rounds.drawSeed(random, jobId, number);
        (round.members, bits) = _seat(job.modelId, round.drawSeed, job.poolSlots, job.requestedAt, size);
        state.draw(round, bits, job.terms.commitWindow);
        bounty = Fees.drawBounty(job.gasPrice, size);

        emit Drawn(jobId, round, state.clock);
    }

    // --------------------------------------------------------------------------------------------------------- the votes

    /// @inheritdoc IGenerationOracle
    function commit(bytes32 jobId, Round calldata round, uint256 member, bytes32 commitment) public {
        RoundState storage kept = _books.rounds[jobId][round.number];
        RoundState memory state = kept;
        _checkDrawn(jobId, state, round);
        _commit(jobId, round.number, state, member, round.members[member], commitment);

        kept.write(state);
    }

    function _commit(
        bytes32 jobId,
        uint8 number,
        RoundState memory state,
        uint256 member,
        Member seat,
        bytes32 commitment
    ) private {
        _checkVoter(state, member, seat);

        state.commit(member);
        _books.votes[seat.slot()] = Votes.seal(jobId, number, member, commitment);

        emit Committed(jobId, number, member, commitment);
    }

    /// @inheritdoc IGenerationOracle
    function decline(bytes32 jobId, Round calldata round, uint256 member) external {
        RoundState storage kept = _books.rounds[jobId][round.number];
        RoundState memory state = kept;
        _checkDrawn(jobId, state, round);
        _checkVoter(state, member, round.members[member]);

        state.decline(member);
        kept.write(state);

        emit Declined(jobId, round.number, member);
    }

    /// @inheritdoc IGenerationOracle
    function reveal(bytes32 jobId, uint8 number, uint256 member, uint256 slot, Opening calldata opening) external {
        RoundState storage kept = _books.rounds[jobId][number];
        RoundState memory state = kept;
        require(state.mayReveal(REVEAL_WINDOW), WrongPhase(Phase.Reveal));
        require(state.stepOf(member) == Step.Committed, NotCommitted(member));
        bytes32 commitment = commitmentOf(jobId, number, Members.seatIn(slot), opening);
        // The slot is the member's: `commit` wrote what it holds.
        bool opens = _books.votes[slot] == Votes.seal(jobId, number, member, commitment);
        require(opens && Votes.isDigest(opening.digest), WrongOpening(member));

        state.reveal(member);
        kept.write(state);
        _books.votes[slot] = opening.digest;

        emit Revealed(jobId, number, member, opening.digest, opening.contentHash);
    }

    function _checkDrawn(bytes32 jobId, RoundState memory state, Round calldata round) private pure {
        require(state.stage == Stage.Drawn, WrongPhase(Phase.Commit));
        _checkRound(jobId, state, round);
    }

    function _checkVoter(RoundState memory state, uint256 member, Member seat) private view {
        require(state.mayCommit(), WrongPhase(Phase.Commit));
        require(seat.operator() == msg.sender, NotOperator(member, msg.sender));
        require(state.stepOf(member) == Step.Drawn, AlreadyVoted(member));
    }

    // ---------------------------------------------------------------------------------------------------- the last word

    /// @inheritdoc IGenerationOracle
    function appeal(Job calldata) external payable {
        _extend();
    }

    /// @inheritdoc IGenerationOracle
    function settle(Job calldata, Round calldata) external {
        _extend();
    }

    /// @inheritdoc IGenerationOracle
    function settleEarlier(Job calldata, Round calldata, Verdict calldata) external {
        _extend();
    }

    /// @inheritdoc IGenerationOracle
    function expire(Job calldata) external {
        _extend();
    }

    /// @inheritdoc IGenerationOracle
    function deliver(Job calldata, Verdict calldata) external {
        _extend();
    }

    /// @dev Hands the whole call to the other half, and ends as it does.
    function _extend() private {
        address extension = address(EXTENSION);
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), extension, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    // ------------------------------------------------------------------------------------------------- deposit, withdraw

    /// @inheritdoc IGenerationOracle
    function deposit() external payable {
        _books.credit(msg.sender, msg.value);

        emit Deposited(msg.sender, msg.value);
    }

    /// @inheritdoc IGenerationOracle
    function withdraw(address payable to) external nonReentrant returns (uint256 amount) {
        amount = _books.accounts[msg.sender].balance;
        require(amount > 0, NothingToWithdraw(msg.sender));

        _books.accounts[msg.sender].balance = 0;

        emit Withdrawn(msg.sender, to, amount);

        Address.sendValue(to, amount);
    }

    // -------------------------------------------------------------------------------------------------------- the views

    /// @inheritdoc IGenerationOracle
    function idOf(Job calldata job) external view returns (bytes32) {
        return job.id();
    }

    /// @inheritdoc IGenerationOracle
    function stateOf(bytes32 jobId, uint8 number) external view returns (RoundState memory) {
        return _books.rounds[jobId][number];
    }

    /// @inheritdoc IGenerationOracle
    function voteOf(uint256 slot) external view returns (bytes32) {
        return _books.votes[slot];
    }

    /// @inheritdoc IGenerationOracle
    function appealOf(bytes32 jobId, uint8 number) external view returns (address appellant, uint96 paid) {
        Appeal memory challenge = _books.appeals[jobId][number];
        return (challenge.appellant, challenge.paid);
    }

    /// @inheritdoc IGenerationOracle
    function isFinal(bytes32 jobId, Verdict calldata verdict) external view returns (bool) {
        return _isFinal(jobId, verdict);
    }

    /// @inheritdoc IGenerationOracle
    function commitmentOf(bytes32 jobId, uint8 number, uint32 seat, Opening calldata opening)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), jobId, number, seat, opening));
    }

    /// @inheritdoc IGenerationOracle
    function balanceOf(address account) external view returns (uint256) {
        return _books.accounts[account].balance;
    }

    /// @inheritdoc IGenerationOracle
    function nonceOf(address account) external view returns (uint256) {
        return _books.accounts[account].nonce;
    }

    /// @inheritdoc IGenerationOracle
    function windows() external view returns (Windows memory) {
        return Windows({
            draw: DRAW_WINDOW,
            commit: COMMIT_WINDOW,
            mostCommit: MOST_COMMIT_WINDOW,
            reveal: REVEAL_WINDOW,
            appeal: APPEAL_WINDOW
        });
    }

    /// @inheritdoc IGenerationOracle
    function models() external view returns (address) {
        return address(MODELS);
    }

    /// @inheritdoc IGenerationOracle
    function randomness() external view returns (address) {
        return address(RANDOMNESS);
    }
}
