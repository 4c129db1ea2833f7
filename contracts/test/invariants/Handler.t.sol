// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {IGenerationConsumer} from "../../src/interfaces/IGenerationConsumer.sol";
import {IGenerationLens} from "../../src/interfaces/IGenerationLens.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Fees} from "../../src/libraries/Fees.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Rounds} from "../../src/libraries/Rounds.sol";
import {Rulings} from "../../src/libraries/Rulings.sol";
import {Tally} from "../../src/libraries/Tally.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice How a seat behaves in a round.
enum Actor {
    Honest,
    /// Answers without work: always the same.
    Lazy,
    /// Commits to what another has committed to.
    Copying,
    /// Alone, or with all other liars of the round.
    Lying,
    Silent,
    Declining,
    /// Commits and never reveals.
    Griefing
}

/// @notice Plays all parties, each move only when it is allowed, so that none may revert; what is not allowed is tried too,
/// and must be refused. After every move it notes where each job stands.
contract Handler is Protocol {
    using Fees for IGenerationOracle.Job;
    using Members for IGenerationOracle.Member;

    uint256 internal constant MOST_OPEN = 8;
    uint32 internal constant MOST_SEATS = 60;
    bytes32 internal constant LAZY = keccak256("nothing");

    /// @dev Those that are not over.
    bytes32[] public jobs;
    address[] public accounts;
    address internal refuser = address(new Refuser());
    address internal appellant = makeAddr("appellant");
    address internal keeper = makeAddr("keeper");
    address internal otherOperator = makeAddr("other operator");
    address internal goodConsumer = address(new Consumer());

    /// @dev By job and round: what is known of a draw, when it is opened and when it has happened.
    mapping(bytes32 => mapping(uint8 => bytes32)) internal _foretold;
    mapping(bytes32 => mapping(uint8 => bytes)) internal _drawn;
    mapping(bytes32 => mapping(uint8 => uint40)) internal _commitDeadline;
    /// @dev A bit for each member that has revealed what is honest, and the count of those who revealed something else.
    mapping(bytes32 => mapping(uint8 => uint256)) internal _honest;
    mapping(bytes32 => mapping(uint8 => uint256)) internal _hostile;
    mapping(bytes32 => mapping(uint8 => uint256)) internal _settlements;
    mapping(bytes32 => bytes) internal _verdicts;
    mapping(bytes32 => uint256) internal _rank;
    mapping(uint32 seat => uint256) public lostBy;

    mapping(Actor => uint256) public acted;
    mapping(IGenerationOracle.Phase => uint256) public reached;
    mapping(uint8 number => uint256) public rounds;
    uint256 public slashed;
    uint256 public overturned;
    /// @dev The first promise that was broken.
    string public broken;

    modifier move() {
        _;
        for (uint256 i = jobs.length; i > 0; --i) {
            lookAt(jobs[i - 1]);
            if (isOver(jobs[i - 1])) forget(i - 1);
        }
    }

    function setUp() public override {
        super.setUp();
        enrol(25);
        pass(2 * SEAT_AGE);
        address[7] memory known = [requester, refuser, appellant, keeper, modelOwner, otherOperator, address(this)];
        for (uint256 i; i < known.length; ++i) {
            accounts.push(known[i]);
            vm.deal(known[i], 1000 ether);
        }
    }

    // --------------------------------------------------------------------------------------------------------- the pool

    function takeSeats(uint256 count) external move {
        count = bound(count, 4, 12);
        if (stakes.poolOf(modelId).active + count > MOST_SEATS) return;
        for (uint256 i; i < count; ++i) {
            address owner = i % 3 == 0 ? refuser : ownerOf(i);
            hoax(owner, SEAT_STAKE);
            uint32 seat = stakes.enrol{value: SEAT_STAKE}(modelId, operatorOf(i));
            lostBy[seat] = 0;
        }
    }

    function leavePool(uint256 which) external move {
        (bool found, uint32 seat) = pick(which, false);
        if (!found || stakes.poolOf(modelId).active < 12) return;
        vm.prank(stakes.seatOf(modelId, seat).owner);
        stakes.leavePool(modelId, seat);
    }

    function withdrawStake(uint256 which) external move {
        (bool found, uint32 seat) = pick(which, true);
        if (found) takeStake(seat);
    }

    function takeStake(uint32 seat) internal {
        IVerifierStakes.Seat memory it = stakes.seatOf(modelId, seat);
        bool ready = it.places == 0 && vm.getBlockTimestamp() >= uint256(it.leftAt) + UNBONDING;
        bytes memory data = abi.encodeCall(stakes.withdrawStake, (modelId, seat, payable(stranger)));
        vm.prank(it.owner);
        (bool done,) = address(stakes).call(data);
        check(done == ready, "a stake is withdrawn when it is free, and not before");
    }

    function withdrawEarnings(uint256 which) external move {
        (bool found, uint32 seat) = pick(which, which % 2 == 0);
        IVerifierStakes.Seat memory it = stakes.seatOf(modelId, seat);
        if (!found || it.earned == 0) return;
        uint32[] memory one = new uint32[](1);
        one[0] = seat;
        vm.prank(it.owner);
        stakes.withdrawEarnings(modelId, one, payable(stranger));
    }

    function changeOperator(uint256 which) external move {
        (bool found, uint32 seat) = pick(which, false);
        if (!found) return;
        vm.prank(stakes.seatOf(modelId, seat).owner);
        stakes.setOperator(modelId, seat, which % 2 == 0 ? otherOperator : operatorOf(seat));
    }

    // --------------------------------------------------------------------------------------------------------- the jobs

    function requestJob(uint256 random) external move {
        IGenerationOracle.Terms memory of_ = terms(uint8(3 + 2 * (random % 5)));
        if (jobs.length >= MOST_OPEN || stakes.poolOf(modelId).old < of_.committeeSize) return;
        (of_.superMajority, of_.fixedSeed) = (of_.committeeSize > 3 && random % 5 == 0, random % 7 == 0);
        uint96 least = lens.quote(modelId, spec(), of_).leastShare;
        of_.share = uint96(bound(random >> 8, least, SHARE));
        if (random % 2 == 0) (of_.consumer, of_.consumerGas) = (random % 4 == 0 ? refuser : goodConsumer, 100_000);

        address payer = random % 3 == 0 ? refuser : requester;
        uint256 fee = lens.quote(modelId, spec(), of_).fee;
        vm.recordLogs();
        hoax(payer, fee);
        bytes32 jobId = oracle.requestImage{value: fee}(modelId, spec(), of_);
        remember();
        jobs.push(jobId);
        ++rounds[1];
        foretell(jobId, 1);
    }

    /// @notice Whatever is to be done with some job, done.
    function play(uint256 which, uint256 random) external move {
        if (jobs.length > 0) step(jobs[which % jobs.length], random);
    }

    /// @notice The same with all of them.
    function playAll(uint256 random) external move {
        for (uint256 i; i < jobs.length; ++i) {
            step(jobs[i], uint256(keccak256(abi.encode(random, i))));
        }
    }

    function step(bytes32 jobId, uint256 random) internal {
        IGenerationOracle.Phase phase = phaseOf(jobId);
        if (phase == IGenerationOracle.Phase.Requested) seed(jobId);
        if (phase == IGenerationOracle.Phase.Draw) drawJob(jobId, random);
        if (phase == IGenerationOracle.Phase.Expired) expireJob(jobId);
        if (phase == IGenerationOracle.Phase.Commit) commitVotes(jobId, random);
        if (phase == IGenerationOracle.Phase.Reveal) revealVotes(jobId, random);
        if (phase == IGenerationOracle.Phase.Appeal && random % 2 == 0) appealJob(jobId);
        else if (phase == IGenerationOracle.Phase.Appeal) closePhase(jobId);
        if (phase == IGenerationOracle.Phase.Settle) settleJob(jobId);
        if (phase == IGenerationOracle.Phase.Settled) settleMore(jobId);
    }

    function drawJob(bytes32 jobId, uint256 random) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        bytes memory header = seed(jobId);
        IGenerationOracle.Round memory round = lens.drawOf(job, header);
        vm.recordLogs();
        if (random % 2 == 0 && round.members.length > 0 && round.members[0].operator() != address(0)) {
            IGenerationOracle.Opening memory opening = openingOf(jobId, 0, answerOf(jobId, round, 0));
            bytes32 hash = oracle.commitmentOf(jobId, round.number, round.members[0].seat(), opening);
            vm.prank(round.members[0].operator());
            oracle.drawAndCommit(job, header, round, 0, hash);
        } else {
            vm.prank(keeper);
            oracle.draw(job, header);
        }
        remember();

        round = roundOf(jobId);
        _drawn[jobId][round.number] = abi.encode(round);
        _commitDeadline[jobId][round.number] = oracle.stateOf(jobId, round.number).clock;
        check(seatsOf(round) == _foretold[jobId][round.number], "a draw is the same for everyone at any time");
    }

    function expireJob(bytes32 jobId) internal {
        oracle.expire(jobOf(jobId));
    }

    function commitVotes(bytes32 jobId, uint256 random) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        IGenerationOracle.Step[] memory steps = lens.stepsOf(jobId, round);
        bytes32 copied;
        for (uint256 member; member < steps.length; ++member) {
            bool acts = (random >> member) % 4 != 0;
            if (!acts || steps[member] != IGenerationOracle.Step.Drawn) continue;
            Actor actor = actorOf(jobId, round, member);
            ++acted[actor];
            if (actor == Actor.Declining) decline(jobId, member);
            else if (actor == Actor.Copying && copied != 0) copy(jobId, round, member, copied);
            else if (actor != Actor.Silent) commit(jobId, member, answerOf(jobId, round, member));
            copied = oracle.voteOf(round.members[member].slot());
        }
        if (random % 8 == 0 && phaseOf(jobId) == IGenerationOracle.Phase.Commit) closePhase(jobId);
    }

    function copy(bytes32 jobId, IGenerationOracle.Round memory round, uint256 member, bytes32 seen) internal {
        vm.prank(round.members[member].operator());
        oracle.commit(jobId, round, member, seen == 0 ? bytes32("unknown") : seen);
    }

    function revealVotes(bytes32 jobId, uint256 random) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        IGenerationOracle.Step[] memory steps = lens.stepsOf(jobId, round);
        for (uint256 member; member < steps.length; ++member) {
            if (steps[member] != IGenerationOracle.Step.Committed || (random >> member) % 8 == 0) continue;
            Actor actor = actorOf(jobId, round, member);
            if (actor == Actor.Griefing) continue;

            bytes32 answer = answerOf(jobId, round, member);
            bool knows = oracle.voteOf(round.members[member].slot()) == commitment(jobId, member, answer);
            if (!knows) {
                stealReveal(jobId, round, member);
                continue;
            }
            reveal(jobId, member, answer);
            if (actor == Actor.Honest) _honest[jobId][round.number] |= 1 << member;
            else ++_hostile[jobId][round.number];
        }
        if (random % 2 == 0 && phaseOf(jobId) == IGenerationOracle.Phase.Reveal) closePhase(jobId);
    }

    /// @dev Who has committed to what another has committed to tries to open it with what the other opened it with.
    function stealReveal(bytes32 jobId, IGenerationOracle.Round memory round, uint256 member) internal {
        for (uint256 other; other < round.members.length; ++other) {
            IGenerationOracle.Opening memory opening = openingOf(jobId, other, answerOf(jobId, round, other));
            bytes memory data = abi.encodeCall(oracle.reveal, (jobId, round, member, opening));
            refuse(address(this), data, "a copied commitment is never opened");
        }
    }

    function appealJob(bytes32 jobId) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint8 number = lens.roundOf(job).latest + 1;
        if (job.poolSeats < Rulings.sizeOf(job.terms.committeeSize, number)) return closePhase(jobId);
        uint256 fee = lens.appealFee(job);
        hoax(appellant, fee);
        oracle.appeal{value: fee}(job);
        ++rounds[number];
        foretell(jobId, number);
    }

    function settleJob(bytes32 jobId) internal {
        uint8 number = lens.roundOf(jobOf(jobId)).latest;
        uint256 burned = BURNED.balance;
        vm.recordLogs();
        vm.prank(keeper);
        oracle.settle(jobOf(jobId), drawnRound(jobId, number));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IGenerationOracle.Settled.selector) _verdicts[jobId] = logs[i].data;
        }
        audit(jobId, number, logs, BURNED.balance - burned);
    }

    /// @dev What is left after the verdict: earlier rounds, and the delivery.
    function settleMore(bytes32 jobId) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Stage first = oracle.stateOf(jobId, 1).stage;
        if (first == IGenerationOracle.Stage.Delivered) return;

        IGenerationOracle.Verdict memory verdict = abi.decode(_verdicts[jobId], (IGenerationOracle.Verdict));
        if (first == IGenerationOracle.Stage.Settled && job.terms.consumer != address(0)) {
            vm.prank(keeper);
            oracle.deliver(job, verdict);
        }
        if (first == IGenerationOracle.Stage.Settled) return;

        uint8 number = lens.roundOf(job).latest;
        while (oracle.stateOf(jobId, number).stage >= IGenerationOracle.Stage.Settled) --number;
        uint256 burned = BURNED.balance;
        vm.recordLogs();
        vm.prank(keeper);
        oracle.settleEarlier(job, drawnRound(jobId, number), verdict);
        audit(jobId, number, vm.getRecordedLogs(), BURNED.balance - burned);
    }

    function withdrawBalance(uint256 which) external move {
        takeBalance(accountAt(which % accountCount()));
    }

    function takeBalance(address account) internal {
        if (oracle.balanceOf(account) == 0) return;
        vm.prank(account);
        oracle.withdraw(payable(stranger));
    }

    /// @notice Moves out of their time, by anybody.
    function meddle(uint256 which, uint256 random) external move {
        if (jobs.length == 0) return;
        bytes32 jobId = jobs[which % jobs.length];
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Phase phase = phaseOf(jobId);
        IGenerationOracle.Round memory round = drawnRound(jobId, lens.roundOf(job).latest);
        address anyone = accountAt(random % accountCount());
        if (phase != IGenerationOracle.Phase.Settle) {
            refuse(anyone, abi.encodeCall(oracle.settle, (job, round)), "a round is settled in its time and once");
        }
        if (phase != IGenerationOracle.Phase.Expired) {
            refuse(anyone, abi.encodeCall(oracle.expire, (job)), "a request is not taken back");
        }
        if (phase != IGenerationOracle.Phase.Appeal) {
            refuse(anyone, abi.encodeCall(oracle.appeal, (job)), "an appeal has its time");
        }
        if (phase != IGenerationOracle.Phase.Commit && round.members.length > 0) {
            bytes memory data = abi.encodeCall(oracle.commit, (jobId, round, 0, bytes32(random)));
            refuse(round.members[0].operator(), data, "a commitment has its time");
        }
    }

    /// @dev Mostly short, now and then longer than every window, or than the unbonding.
    function wait(uint256 random) external move {
        pass(random % 16 == 0 ? UNBONDING : random % 8 == 0 ? bound(random >> 8, 60, 400) : bound(random >> 8, 1, 12));
        vm.fee(bound(random >> 32, BASE_FEE / 4, 4 * BASE_FEE));
    }

    // --------------------------------------------------------------------------------------------------------- the ends

    /// @notice Brings every job to its end, and everybody takes what is his.
    function drain() external {
        for (; jobs.length > 0; jobs.pop()) {
            bytes32 jobId = jobs[jobs.length - 1];
            while (!isOver(jobId)) finishStep(jobId);
        }
        uint32 slots = stakes.poolOf(modelId).slots;
        for (uint32 seat; seat < slots; ++seat) {
            IVerifierStakes.Seat memory it = stakes.seatOf(modelId, seat);
            if (it.owner == address(0) || it.leftAt != 0) continue;
            vm.prank(it.owner);
            stakes.leavePool(modelId, seat);
        }
        pass(UNBONDING);
        for (uint32 seat; seat < slots; ++seat) {
            if (stakes.seatOf(modelId, seat).owner != address(0)) takeStake(seat);
        }
        for (uint256 i; i < accountCount(); ++i) {
            takeBalance(accountAt(i));
        }
    }

    /// @dev Nobody but keepers does anything any more.
    function finishStep(bytes32 jobId) internal {
        IGenerationOracle.Phase phase = phaseOf(jobId);
        if (phase == IGenerationOracle.Phase.Expired) expireJob(jobId);
        else if (phase == IGenerationOracle.Phase.Settle) settleJob(jobId);
        else if (phase == IGenerationOracle.Phase.Settled) settleMore(jobId);
        else closePhase(jobId);
    }

    function isOver(bytes32 jobId) internal view returns (bool) {
        IGenerationOracle.Stage first = oracle.stateOf(jobId, 1).stage;
        bool called = jobOf(jobId).terms.consumer == address(0) && first == IGenerationOracle.Stage.Settled;
        return called || first == IGenerationOracle.Stage.Delivered;
    }

    function forget(uint256 job) internal {
        jobs[job] = jobs[jobs.length - 1];
        jobs.pop();
    }

    // ----------------------------------------------------------------------------------------------------- the promises

    function check(bool kept, string memory what) internal {
        if (!kept && bytes(broken).length == 0) broken = what;
    }

    function refuse(address sender, bytes memory data, string memory what) internal {
        vm.prank(sender);
        (bool done,) = address(oracle).call(data);
        check(!done, what);
    }

    /// @dev Before anybody can know the seed: a draw depends on nothing that happens later.
    function foretell(bytes32 jobId, uint8 number) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint256 id = lens.roundOf(job).randomnessId;
        bytes32 drawSeed = Rounds.drawSeed(keccak256(abi.encode("randao", jobId, id)), jobId, number);
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        IGenerationOracle.Round memory round;
        round.members = Members.wrap(stakes.committee(modelId, drawSeed, job.poolSlots, job.requestedAt, size));
        _foretold[jobId][number] = seatsOf(round);
    }

    function lookAt(bytes32 jobId) internal {
        IGenerationLens.RoundView memory view_ = lens.roundOf(jobOf(jobId));
        ++reached[view_.phase];
        uint256 rank = 16 * uint256(view_.latest) + uint8(view_.phase);
        check(rank >= _rank[jobId], "phases only move forward");
        _rank[jobId] = rank;

        uint256 commits = _commitDeadline[jobId][view_.latest];
        if (view_.phase == IGenerationOracle.Phase.Commit) {
            check(view_.deadline >= commits, "no commit deadline comes early");
        }
        if (view_.phase == IGenerationOracle.Phase.Reveal) {
            check(view_.deadline >= commits + REVEAL_WINDOW, "no reveal deadline comes early");
        }
    }

    /// @dev Holds a settlement against the votes.
    function audit(bytes32 jobId, uint8 number, Vm.Log[] memory logs, uint256 burned) internal {
        check(++_settlements[jobId][number] == 1, "a round is settled once");
        uint256 rewarded;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IGenerationOracle.AppealRewarded.selector) continue;
            (, rewarded) = abi.decode(logs[i].data, (uint8, uint256));
            ++overturned;
        }
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IGenerationOracle.RoundSettled.selector) continue;
            (, uint96[] memory earned, uint96[] memory lost) = abi.decode(logs[i].data, (uint8, uint96[], uint96[]));
            (uint256 all, uint256 bonds) = auditBill(jobId, number, earned, lost);
            check(burned == all - rewarded, "what is lost is burned or the appellant's reward");
            check(10 * rewarded <= 3 * bonds, "seven tenths of what is slashed are burned");
        }
    }

    function auditBill(bytes32 jobId, uint8 number, uint96[] memory earned, uint96[] memory lost)
        internal
        returns (uint256 all, uint256 bonds)
    {
        IGenerationOracle.Member[] memory members = drawnRound(jobId, number).members;
        check(earned.length == members.length, "every member is settled");
        uint256 safe = safeMembers(jobId, number);
        for (uint256 i; i < earned.length; ++i) {
            auditMember(jobId, earned[i], lost[i], safe & (1 << i) != 0);
            if (lost[i] == BOND) bonds += lost[i];
            all += lost[i];
            lostBy[members[i].seat()] += lost[i];
        }
        slashed += bonds;
    }

    /// @return a bit for each that revealed what is honest, if a minority did not
    function safeMembers(bytes32 jobId, uint8 number) internal view returns (uint256) {
        bool minority = isMinority(jobId, number) && isMinority(jobId, lens.roundOf(jobOf(jobId)).latest);
        return minority ? _honest[jobId][number] : 0;
    }

    /// @param safe whether it revealed what is honest and a minority did not
    function auditMember(bytes32 jobId, uint96 earned, uint96 lost, bool safe) internal {
        uint96 share = jobOf(jobId).terms.share;
        bool whole = earned == 0 || earned == share / 2 || earned == share;
        check(whole && (earned == 0 || lost == 0), "nobody earns more than a share");
        check(!safe || lost == 0, "a minority gets nobody honest slashed");
    }

    /// @dev Whether those who revealed something else than what is honest are fewer than a quorum.
    function isMinority(bytes32 jobId, uint8 number) internal view returns (bool) {
        IGenerationOracle.Terms memory of_ = jobOf(jobId).terms;
        uint256 quorum = Tally.quorum(Rulings.sizeOf(of_.committeeSize, number), of_.superMajority);
        return _hostile[jobId][number] < quorum;
    }

    /// @notice All that the oracle owes.
    function owed() external view returns (uint256 sum) {
        for (uint256 i; i < accountCount(); ++i) {
            sum += oracle.balanceOf(accountAt(i));
        }
        uint32 slots = stakes.poolOf(modelId).slots;
        for (uint32 seat; seat < slots; ++seat) {
            IVerifierStakes.Seat memory it = stakes.seatOf(modelId, seat);
            sum += uint256(it.stake) + it.earned;
        }
        for (uint256 i; i < jobs.length; ++i) {
            sum += escrowOf(jobs[i]);
        }
    }

    function escrowOf(bytes32 jobId) internal view returns (uint256 sum) {
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint8 latest = oracle.stateOf(jobId, 1).latest;
        for (uint8 number = 1; number <= latest; ++number) {
            IGenerationOracle.Stage stage = oracle.stateOf(jobId, number).stage;
            if (stage >= IGenerationOracle.Stage.Settled) continue;
            uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
            sum += job.escrowOf(number, size);
            if (stage == IGenerationOracle.Stage.Drawn) sum -= job.drawBounty(size);
        }
        if (oracle.stateOf(jobId, 1).stage != IGenerationOracle.Stage.Delivered) sum += job.deliverBounty();
    }

    /// @notice Whether each seat has the stake that it took, less what it lost, and can cover its bonds.
    function stakesAreRight() external view returns (bool) {
        uint32 slots = stakes.poolOf(modelId).slots;
        for (uint32 seat; seat < slots; ++seat) {
            IVerifierStakes.Seat memory it = stakes.seatOf(modelId, seat);
            if (it.owner == address(0)) continue;
            uint256 bound_;
            for (uint8 places = it.places; places != 0; places &= places - 1) {
                ++bound_;
            }
            if (it.stake != SEAT_STAKE - lostBy[seat] || it.stake < bound_ * BOND) return false;
        }
        return true;
    }

    function held() external view returns (uint256) {
        return address(oracle).balance;
    }

    // ------------------------------------------------------------------------------------------------------- the choices

    function accountCount() internal view returns (uint256) {
        return accounts.length + stakes.poolOf(modelId).slots;
    }

    function accountAt(uint256 which) internal view returns (address) {
        return which < accounts.length ? accounts[which] : operatorOf(which - accounts.length);
    }

    function pick(uint256 which, bool left) internal view returns (bool, uint32) {
        uint32 slots = stakes.poolOf(modelId).slots;
        for (uint256 i; i < slots; ++i) {
            uint32 number = uint32(addmod(which, i, slots));
            IVerifierStakes.Seat memory seat = stakes.seatOf(modelId, number);
            if (seat.owner != address(0) && (seat.leftAt != 0) == left) return (true, number);
        }
        return (false, 0);
    }

    function drawnRound(bytes32 jobId, uint8 number) internal view returns (IGenerationOracle.Round memory round) {
        bytes memory drawn = _drawn[jobId][number];
        if (drawn.length > 0) return abi.decode(drawn, (IGenerationOracle.Round));
        round.number = number;
    }

    function seatsOf(IGenerationOracle.Round memory round) internal pure returns (bytes32) {
        uint32[] memory seats = new uint32[](round.members.length);
        for (uint256 i; i < seats.length; ++i) {
            seats[i] = round.members[i].seat();
        }
        return keccak256(abi.encode(seats));
    }

    /// @dev A round is quiet, captured by liars, or mixed.
    function actorOf(bytes32 jobId, IGenerationOracle.Round memory round, uint256 member)
        internal
        pure
        returns (Actor)
    {
        uint256 mood = uint256(keccak256(abi.encode(jobId, round.number))) % 6;
        uint256 random = uint256(keccak256(abi.encode(jobId, round.number, member))) % 9;
        if (mood == 0) return random < 7 ? Actor.Honest : Actor.Griefing;
        if (mood == 1) return random < 7 ? Actor.Lying : Actor.Honest;
        return random < 3 ? Actor.Honest : Actor(random - 2);
    }

    function answerOf(bytes32 jobId, IGenerationOracle.Round memory round, uint256 member)
        internal
        pure
        returns (bytes32)
    {
        Actor actor = actorOf(jobId, round, member);
        uint256 random = uint256(keccak256(abi.encode(jobId, round.number, member, "answer")));
        if (actor == Actor.Lazy) return LAZY;
        if (actor == Actor.Honest || actor == Actor.Griefing) return flip(DIGEST, random % 4, (random >> 8) % 6);
        // Liars crowd the edges, or all say the same.
        uint256 plan = uint256(keccak256(abi.encode(jobId, round.number, "plan"))) % 3;
        if (plan == 0) return keccak256(abi.encode(jobId, "lie"));
        return flip(DIGEST, plan == 1 ? 0 : random % 4, ACCEPT + (random >> 8) % 12);
    }
}

contract Refuser {
    receive() external payable {
        revert("no, thank you");
    }
}

contract Consumer is IGenerationConsumer {
    function onVerdict(bytes32, IGenerationOracle.Job calldata, IGenerationOracle.Verdict calldata) external {}
}
