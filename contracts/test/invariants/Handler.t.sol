// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Rulings} from "../../src/libraries/Rulings.sol";
import {Actor} from "./Actors.t.sol";
import {Auditor} from "./Auditor.t.sol";

/// @notice Plays all parties, each move only when it is allowed, so that none may revert; what is not allowed is tried too,
/// and must be refused. After every move it notes where each job stands.
contract Handler is Auditor {
    using Members for IGenerationOracle.Member;

    uint256 internal constant MOST_OPEN = 8;
    uint32 internal constant MOST_SEATS = 60;

    mapping(bytes32 => bytes) internal _verdicts;

    mapping(Actor => uint256) public acted;
    mapping(uint8 number => uint256) public rounds;

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
        uint96 least = lens.quoteImage(modelId, spec(), of_).leastShare;
        of_.share = uint96(bound(random >> 8, least, SHARE));
        if (random % 2 == 0) (of_.consumer, of_.consumerGas) = (random % 4 == 0 ? refuser : goodConsumer, 100_000);

        address payer = random % 3 == 0 ? refuser : requester;
        uint256 fee = lens.quoteImage(modelId, spec(), of_).fee;
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
            copied = commitment(jobId, member, answerOf(jobId, round, member));
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
            bool knows = oracle.voteOf(round.members[member].slot()) == sealOf(jobId, member, answer);
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
            refuse(address(this), revealCall(jobId, member, opening), "a copied commitment is never opened");
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
}
