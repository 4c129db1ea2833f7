// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {VerifierStakes} from "./VerifierStakes.sol";
import {IGenerationConsumer} from "./interfaces/IGenerationConsumer.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {Delegations} from "./libraries/Delegations.sol";
import {Fees} from "./libraries/Fees.sol";
import {Members} from "./libraries/Members.sol";
import {Rounds} from "./libraries/Rounds.sol";
import {Rulings} from "./libraries/Rulings.sol";
import {Pool, Seats} from "./libraries/Seats.sol";
import {Account, Appeal, Books, Settlements} from "./libraries/Settlements.sol";

/// @dev Documented in IGenerationOracle.
contract GenerationOracle is IGenerationOracle, VerifierStakes {
    using Fees for Job;
    using Members for Member;
    using Rounds for RoundState;
    using Rounds for Round;
    using Rounds for Verdict;
    using Seats for Pool;
    using Settlements for Books;

    uint8 private constant LEAST_COMMITTEE = 3;
    uint8 private constant MOST_COMMITTEE = 31;
    uint8 private constant LEAST_SUPER_MAJORITY = 5;
    uint32 private constant MOST_CONSUMER_GAS = 500_000;
    /// @dev Between the check of the gas and the consumer's first instruction.
    uint256 private constant CALL_GAS = 10_000;
    uint8 private constant FIRST = 1;

    IRandomness private immutable RANDOMNESS;
    uint32 private immutable DRAW_WINDOW;
    uint32 private immutable COMMIT_WINDOW;
    uint32 private immutable MOST_COMMIT_WINDOW;
    uint32 private immutable REVEAL_WINDOW;
    uint32 private immutable APPEAL_WINDOW;

    Books private _books;
    mapping(address requester => mapping(uint256 word => uint256)) private _usedNonces;

    /// @param unbonding seconds: a seat must not be withdrawn while a job that may draw it can still be appealed, so it is at
    /// least as long as the four longest rounds
    constructor(
        IModelRegistry models_,
        IRandomness randomness_,
        Windows memory windows_,
        uint32 seatAge_,
        uint32 unbonding
    ) VerifierStakes(models_, seatAge_, unbonding) {
        bool open =
            windows_.draw > 0 && windows_.commit > 0 && windows_.reveal > 0 && windows_.appeal > 0;
        bool reachable = windows_.draw <= randomness_.lifetime() && windows_.commit <= windows_.mostCommit;
        uint256 appealed = windows_.appeal > windows_.mostCommit ? windows_.appeal : windows_.mostCommit;
        uint256 longest = uint256(windows_.draw) + windows_.mostCommit + windows_.reveal + appealed;
        require(open && reachable && unbonding >= Rounds.MOST_ROUNDS * longest, BadWindows(windows_));

        RANDOMNESS = randomness_;
        (DRAW_WINDOW, COMMIT_WINDOW, MOST_COMMIT_WINDOW) = (windows_.draw, windows_.commit, windows_.mostCommit);
        (REVEAL_WINDOW, APPEAL_WINDOW) = (windows_.reveal, windows_.appeal);
    }

    // ------------------------------------------------------------------------------------------------------- the request

    /// @inheritdoc IGenerationOracle
    function requestImage(bytes32 modelId, ImageSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32 jobId)
    {
        return _request(msg.sender, modelId, spec, terms, type(uint256).max);
    }

    /// @inheritdoc IGenerationOracle
    function requestImageFor(DelegatedImage calldata delegated, bytes calldata signature)
        external
        returns (bytes32 jobId)
    {
        require(block.timestamp <= delegated.deadline, DelegationOver(delegated.deadline));
        address signer = delegated.requester;
        (uint256 word, uint256 bit) = (delegated.nonce >> 8, 1 << (delegated.nonce & 0xff));
        require(_usedNonces[signer][word] & bit == 0, NonceUsed(signer, delegated.nonce));

        _usedNonces[signer][word] |= bit;

        bool signed = Delegations.isSigned(delegated, signature);
        require(signed, WrongSignature(signer));
        return _request(signer, delegated.modelId, delegated.spec, delegated.terms, delegated.mostFee);
    }

    function _request(
        address requester,
        bytes32 modelId,
        ImageSpec calldata spec,
        Terms calldata terms,
        uint256 mostFee
    ) private returns (bytes32 jobId) {
        IModelRegistry.Offer memory offer = _offerFor(modelId, spec);
        _checkTerms(offer, terms);
        Job memory job = _jobOf(requester, modelId, spec, terms, offer);
        require(job.poolSeats >= terms.committeeSize, PoolTooSmall(modelId, job.poolSeats, terms.committeeSize));

        job.nonce = _charge(requester, job.feeOf(), mostFee);
        jobId = idOf(job);

        emit Requested(jobId, requester, modelId, job, spec);
        _open(jobId, FIRST, requester);
    }

    function _offerFor(bytes32 modelId, ImageSpec calldata spec) private view returns (IModelRegistry.Offer memory) {
        IModelRegistry.ImageRequest memory request = IModelRegistry.ImageRequest({
            promptBytes: spec.prompt.length,
            negativePromptBytes: spec.negativePrompt.length,
            width: spec.width,
            height: spec.height,
            steps: spec.steps,
            guidance: spec.guidance
        });
        return MODELS.offerFor(modelId, request);
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

    function _jobOf(
        address requester,
        bytes32 modelId,
        ImageSpec calldata spec,
        Terms calldata terms,
        IModelRegistry.Offer memory offer
    ) private view returns (Job memory job) {
        PoolView memory pool = poolOf(modelId);
        job.requester = requester;
        job.modelId = modelId;
        job.specHash = keccak256(abi.encode(IModelRegistry.Kind.Image, spec));
        job.specSeed = spec.seed;
        job.terms = terms;
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

    /// @dev Takes a fee out of an account, to which what was sent is added first.
    /// @return nonce the account's, which is then raised
    function _charge(address payer, uint256 fee, uint256 mostFee) private returns (uint128 nonce) {
        require(fee <= mostFee, FeeAboveLimit(fee, mostFee));
        Account memory account = _books.accounts[payer];
        uint256 balance = account.balance + msg.value;
        require(balance >= fee, BalanceTooSmall(payer, balance, fee));

        nonce = account.nonce;
        _books.accounts[payer] = Account({balance: uint128(balance - fee), nonce: nonce + 1});
    }

    /// @dev Makes a round wait for randomness that nobody knows yet.
    function _open(bytes32 jobId, uint8 number, address payer) private {
        RoundState memory state;
        uint64 id = RANDOMNESS.next();
        (state.stage, state.hash) = (Stage.Opened, bytes17(uint136(id)));
        state.clock = uint40(block.timestamp) + DRAW_WINDOW;
        if (number == FIRST) state.latest = FIRST;

        _books.rounds[jobId][number] = state;

        emit Opened(jobId, number, payer, id, state.clock);
    }

    // ---------------------------------------------------------------------------------------------------------- the draw

    /// @inheritdoc IGenerationOracle
    function draw(Job memory job, bytes calldata proof) public {
        bytes32 jobId = idOf(job);
        (RoundState memory state, uint8 number) = _latest(jobId);
        (, uint256 bounty) = _draw(jobId, job, number, state, proof);

        _books.rounds[jobId][number] = state;
        _books.credit(msg.sender, bounty);
    }

    /// @inheritdoc IGenerationOracle
    function drawAndCommit(
        Job memory job,
        bytes calldata proof,
        Round calldata round,
        uint256 member,
        bytes32 commitment
    ) public {
        bytes32 jobId = idOf(job);
        (RoundState memory state, uint8 number) = _latest(jobId);
        if (state.stage != Stage.Opened) return commit(jobId, round, member, commitment);

        (Round memory drawn, uint256 bounty) = _draw(jobId, job, number, state, proof);
        require(drawn.drawSeed == round.drawSeed, OtherDraw(round.drawSeed, drawn.drawSeed));
        Member seat = drawn.members[member];
        _commit(jobId, number, state, member, seat, commitment);

        _books.rounds[jobId][number] = state;
        _poolOf(job.modelId).credit(seat, bounty);
    }

    function _draw(bytes32 jobId, Job memory job, uint8 number, RoundState memory state, bytes calldata proof)
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
        bounty = job.drawBounty(size);

        emit Drawn(jobId, round, state.clock);
    }

    // --------------------------------------------------------------------------------------------------------- the votes

    /// @inheritdoc IGenerationOracle
    function commit(bytes32 jobId, Round calldata round, uint256 member, bytes32 commitment) public {
        RoundState memory state = _drawn(jobId, round);
        _commit(jobId, round.number, state, member, round.members[member], commitment);

        _books.rounds[jobId][round.number] = state;
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
        require(commitment != 0, EmptyCommitment());

        state.commit(member);
        _books.votes[seat.slot()] = commitment;

        emit Committed(jobId, number, member, commitment);
    }

    /// @inheritdoc IGenerationOracle
    function decline(bytes32 jobId, Round calldata round, uint256 member) external {
        RoundState memory state = _drawn(jobId, round);
        _checkVoter(state, member, round.members[member]);

        state.decline(member);
        _books.rounds[jobId][round.number] = state;

        emit Declined(jobId, round.number, member);
    }

    /// @inheritdoc IGenerationOracle
    function reveal(bytes32 jobId, Round calldata round, uint256 member, Opening calldata opening) external {
        RoundState memory state = _drawn(jobId, round);
        require(state.mayReveal(REVEAL_WINDOW), WrongPhase(Phase.Reveal));
        require(state.stepOf(member) == Step.Committed, NotCommitted(member));
        Member seat = round.members[member];
        bool opens = _books.votes[seat.slot()] == commitmentOf(jobId, round.number, seat.seat(), opening);
        require(opens, WrongOpening(member));

        state.reveal(member);
        _books.rounds[jobId][round.number] = state;
        _books.votes[seat.slot()] = opening.digest;

        emit Revealed(jobId, round.number, member, opening.digest, opening.contentHash);
    }

    function _checkVoter(RoundState memory state, uint256 member, Member seat) private view {
        require(state.mayCommit(), WrongPhase(Phase.Commit));
        require(seat.operator() == msg.sender, NotOperator(member, msg.sender));
        require(state.stepOf(member) == Step.Drawn, AlreadyVoted(member));
    }

    // ---------------------------------------------------------------------------------------------------- the last word

    /// @inheritdoc IGenerationOracle
    function appeal(Job memory job) public payable {
        bytes32 jobId = idOf(job);
        uint8 number = _expect(jobId, job, Phase.Appeal) + 1;
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        // A round that cannot be staffed would undo any verdict, and save whoever it slashes.
        require(job.poolSeats >= size, PoolTooSmall(job.modelId, job.poolSeats, size));
        uint256 fee = job.escrowOf(number, size);

        _charge(msg.sender, fee, type(uint256).max);
        _books.appeals[jobId][number] = Appeal({appellant: msg.sender, paid: uint96(fee)});
        _books.rounds[jobId][FIRST].latest = number;

        _open(jobId, number, msg.sender);
    }

    /// @inheritdoc IGenerationOracle
    function settle(Job memory job, Round calldata round) public nonReentrant {
        bytes32 jobId = idOf(job);
        uint8 number = _expect(jobId, job, Phase.Settle);
        RoundState memory state = _books.rounds[jobId][number];
        if (state.stage == Stage.Drawn) _checkRound(jobId, state, round);

        Verdict memory verdict = Settlements.settle(_books, _poolOf(job.modelId), jobId, job, round, state, number);
        _close(jobId, number, state, verdict);

        emit Settled(jobId, verdict);
    }

    /// @inheritdoc IGenerationOracle
    function settleEarlier(Job memory job, Round calldata round, Verdict calldata verdict) public nonReentrant {
        bytes32 jobId = idOf(job);
        uint8 number = round.number;
        require(isFinal(jobId, verdict), WrongVerdict(jobId));
        RoundState memory state = _books.rounds[jobId][number];
        bool open = state.stage == Stage.Opened || state.stage == Stage.Drawn;
        require(open && _books.rounds[jobId][number + 1].stage == Stage.Settled, WrongPhase(Phase.Settle));
        if (state.stage == Stage.Drawn) _checkRound(jobId, state, round);

        Settlements.settleEarlier(_books, _poolOf(job.modelId), jobId, job, round, state, verdict);
        _close(jobId, number, state, verdict);
    }

    /// @inheritdoc IGenerationOracle
    function expire(Job memory job) public {
        bytes32 jobId = idOf(job);
        _expect(jobId, job, Phase.Expired);
        RoundState memory state = _books.rounds[jobId][FIRST];
        Verdict memory verdict;
        (verdict.outcome, verdict.round) = (Outcome.Expired, FIRST);

        (state.stage, state.hash) = (Stage.Delivered, verdict.hashOf(jobId));
        _books.rounds[jobId][FIRST] = state;

        emit Settled(jobId, verdict);
        _books.credit(job.requester, job.feeOf());
    }

    function _close(bytes32 jobId, uint8 number, RoundState memory state, Verdict memory verdict) private {
        (state.stage, state.hash) = (Stage.Settled, verdict.hashOf(jobId));
        _books.rounds[jobId][number] = state;
    }

    // ------------------------------------------------------------------------------------------- deliver, withdraw

    /// @inheritdoc IGenerationOracle
    /// @dev The call is the last thing that happens: whatever the consumer does meanwhile, it finds the job delivered.
    function deliver(Job memory job, Verdict calldata verdict) public {
        bytes32 jobId = idOf(job);
        address consumer = job.terms.consumer;
        RoundState memory state = _books.rounds[jobId][FIRST];
        require(state.stage == Stage.Settled && consumer != address(0), NotDeliverable(jobId));
        require(isFinal(jobId, verdict), WrongVerdict(jobId));

        state.stage = Stage.Delivered;
        _books.rounds[jobId][FIRST] = state;
        _books.credit(msg.sender, job.deliverBounty());

        bytes memory data = abi.encodeCall(IGenerationConsumer.onVerdict, (jobId, job, verdict));
        emit Delivered(jobId, consumer, _callOnce(consumer, job.terms.consumerGas, data));
    }

    /// @dev A call gets at most 63/64 of the gas that is left (EIP-150), silently; so it is checked to be there. What the
    /// consumer returns is not copied: it could be made as large as the rest of the gas.
    function _callOnce(address consumer, uint256 consumerGas, bytes memory data) private returns (bool success) {
        uint256 needed = consumerGas * 64 / 63 + CALL_GAS;
        require(gasleft() >= needed, GasTooLow(gasleft(), needed));

        assembly ("memory-safe") {
            success := call(consumerGas, consumer, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

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
    function idOf(Job memory job) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), job));
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
    function isFinal(bytes32 jobId, Verdict calldata verdict) public view returns (bool) {
        (RoundState memory state,) = _latest(jobId);
        return state.stage >= Stage.Settled && state.hash == verdict.hashOf(jobId);
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

    // ----------------------------------------------------------------------------------------------------------- inside

    function _drawn(bytes32 jobId, Round calldata round) private view returns (RoundState memory state) {
        state = _books.rounds[jobId][round.number];
        require(state.stage == Stage.Drawn, WrongPhase(Phase.Commit));
        _checkRound(jobId, state, round);
    }

    function _checkRound(bytes32 jobId, RoundState memory state, Round calldata round) private pure {
        require(state.hash == Rounds.hashOfDrawn(round), WrongRound(jobId, round.number));
    }

    function _latest(bytes32 jobId) private view returns (RoundState memory state, uint8 number) {
        state = _books.rounds[jobId][FIRST];
        number = state.latest;
        if (number > FIRST) state = _books.rounds[jobId][number];
    }

    /// @return number the latest round's
    function _expect(bytes32 jobId, Job memory job, Phase expected) private view returns (uint8 number) {
        RoundState memory state;
        (state, number) = _latest(jobId);
        require(state.phase(REVEAL_WINDOW, job.appealWindow, number) == expected, WrongPhase(expected));
    }
}
