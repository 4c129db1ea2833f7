// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice Plays all parties, each move only when it is allowed, so that none may revert. After every move it notes where
/// each job stands.
contract Handler is Protocol {
    uint256 internal constant MOST_JOBS = 12;
    uint256 internal constant MOST_SEATS = 12;
    bytes32[4] internal answers = [DIGEST, flip(DIGEST, 1, 6), flip(DIGEST, 2, 15), keccak256("another picture")];

    bytes32[] public jobs;
    /// @dev What was seen of a job when last looked at.
    mapping(bytes32 jobId => IGenerationOracle.JobView) internal _seen;
    mapping(bytes32 jobId => bytes32) internal _closed;
    mapping(IGenerationOracle.Outcome => uint256) public ended;
    bool public wentBack;
    bool public deadlineMoved;
    bool public closedChanged;

    modifier move() {
        _;
        lookAtAll();
    }

    // ------------------------------------------------------------------------------------------------------- the pool

    function takeSeat() external move {
        if (stakes.activeSeats(modelId) < MOST_SEATS) enrol(1);
    }

    function leavePool(uint256 which) external move {
        (bool found, uint32 seat) = pick(which, false);
        if (!found || stakes.activeSeats(modelId) <= 3) return;
        vm.prank(stakes.seatOf(modelId, seat).owner);
        stakes.leavePool(modelId, seat);
    }

    function withdrawStake(uint256 which) external move {
        (bool found, uint32 number) = pick(which, true);
        IVerifierStakes.Seat memory seat = stakes.seatOf(modelId, number);
        bool ready = found && seat.bonded == 0 && vm.getBlockTimestamp() >= seat.leftAt + UNBONDING;
        if (!ready) return;
        vm.prank(seat.owner);
        stakes.withdraw(modelId, number, payable(seat.owner));
    }

    // ------------------------------------------------------------------------------------------------------- the jobs

    function requestJob(uint256 kind, uint256 share) external move {
        IGenerationOracle.Terms memory of_ = terms(kind % 2 == 0 ? 3 : 5);
        (of_.fixedSeed, of_.share) = (kind % 3 == 0, uint96(bound(share, 1, SHARE)));
        if (jobs.length == MOST_JOBS || stakes.activeSeats(modelId) < of_.committeeSize) return;
        jobs.push(request(of_));
    }

    function drawJob(uint256 which) external move {
        (bool found, bytes32 jobId) = pick(which, IGenerationOracle.Phase.Requested, IGenerationOracle.Phase.Draw);
        if (!found || vm.getBlockNumber() > oracle.job(jobId).drawDeadline) return;
        oracle.draw(jobId, seed(jobId));
    }

    function commitVotes(uint256 which, uint256 choices) external move {
        (bool found, bytes32 jobId) = pick(which, IGenerationOracle.Phase.Commit, IGenerationOracle.Phase.Commit);
        if (!found) return;
        IGenerationOracle.Vote[] memory votes = oracle.votes(jobId);
        for (uint256 member; member < votes.length; ++member) {
            if (votes[member].step != IGenerationOracle.Step.Drawn) continue;
            uint256 choice = (choices >> (8 * member)) % 8;
            if (choice == 0) decline(jobId, member);
            if (choice > 1) commit(jobId, member, answerOf(jobId, member));
        }
    }

    function revealVotes(uint256 which, uint256 choices) external move {
        (bool found, bytes32 jobId) = pick(which, IGenerationOracle.Phase.Reveal, IGenerationOracle.Phase.Reveal);
        if (!found) return;
        IGenerationOracle.Vote[] memory votes = oracle.votes(jobId);
        for (uint256 member; member < votes.length; ++member) {
            if (votes[member].step != IGenerationOracle.Step.Committed) continue;
            if ((choices >> (8 * member)) % 4 != 0) reveal(jobId, member, answerOf(jobId, member));
        }
    }

    function settleJob(uint256 which) external move {
        (bool found, bytes32 jobId) = pick(which, IGenerationOracle.Phase.Settle, IGenerationOracle.Phase.Settle);
        if (found) oracle.settle(jobId);
    }

    function expireJob(uint256 which) external move {
        (bool found, bytes32 jobId) = pick(which, IGenerationOracle.Phase.Expired, IGenerationOracle.Phase.Expired);
        if (found) oracle.expire(jobId);
    }

    function withdrawCredit(uint256 which) external move {
        uint256 slots = stakes.slotCount(modelId);
        uint256 chosen = which % (slots + 1);
        address account = chosen == slots ? requester : ownerOf(chosen);
        if (oracle.creditOf(account) == 0) return;
        vm.prank(account);
        oracle.withdraw(payable(account));
    }

    /// @dev Mostly short waits, now and then one that closes every window.
    function wait(uint256 blocks) external move {
        pass(blocks % 8 == 0 ? bound(blocks, 100, 1000) : bound(blocks, 1, 70));
    }

    // ------------------------------------------------------------------------------------------------- the bookkeeping

    function theOracle() external view returns (IGenerationOracle) {
        return oracle;
    }

    function theStakes() external view returns (IVerifierStakes) {
        return stakes;
    }

    function theModel() external view returns (bytes32) {
        return modelId;
    }

    /// @notice Fees of jobs that are not over.
    function openFees() external view returns (uint256 fees) {
        for (uint256 i; i < jobs.length; ++i) {
            if (_closed[jobs[i]] != 0) continue;
            IGenerationOracle.Terms memory of_ = _seen[jobs[i]].terms;
            fees += uint256(of_.committeeSize) * of_.share;
        }
    }

    function credits() external view returns (uint256 sum) {
        sum = oracle.creditOf(requester);
        for (uint256 seat; seat < stakes.slotCount(modelId); ++seat) {
            sum += oracle.creditOf(ownerOf(seat));
        }
    }

    /// @notice Bonds that open jobs hold, by seat.
    function bonds() external view returns (uint256[] memory held) {
        held = new uint256[](stakes.slotCount(modelId));
        for (uint256 i; i < jobs.length; ++i) {
            if (_closed[jobs[i]] != 0) continue;
            IGenerationOracle.Vote[] memory votes = oracle.votes(jobs[i]);
            for (uint256 member; member < votes.length; ++member) {
                if (votes[member].step != IGenerationOracle.Step.Excused) held[votes[member].seat] += BOND;
            }
        }
    }

    function lookAtAll() internal {
        for (uint256 i; i < jobs.length; ++i) {
            lookAt(jobs[i]);
        }
    }

    function lookAt(bytes32 jobId) internal {
        IGenerationOracle.JobView memory job = oracle.job(jobId);
        IGenerationOracle.JobView memory last = _seen[jobId];
        if (job.phase < last.phase) wentBack = true;
        bool committed = last.commitDeadline != 0 && job.commitDeadline != last.commitDeadline;
        bool revealed = last.revealDeadline != 0 && job.revealDeadline != last.revealDeadline;
        bool drawn = last.drawDeadline != 0 && job.drawDeadline != last.drawDeadline;
        if (committed || revealed || drawn) deadlineMoved = true;

        bytes32 all = keccak256(abi.encode(job, oracle.votes(jobId)));
        if (_closed[jobId] != 0 && all != _closed[jobId]) closedChanged = true;
        if (_closed[jobId] == 0 && job.phase == IGenerationOracle.Phase.Closed) {
            _closed[jobId] = all;
            ++ended[job.outcome];
        }
        _seen[jobId] = job;
    }

    // ------------------------------------------------------------------------------------------------------- the choices

    function pick(uint256 which, IGenerationOracle.Phase from, IGenerationOracle.Phase to)
        internal
        view
        returns (bool, bytes32)
    {
        for (uint256 i; i < jobs.length; ++i) {
            bytes32 jobId = jobs[addmod(which, i, jobs.length)];
            IGenerationOracle.Phase phase = oracle.job(jobId).phase;
            if (phase >= from && phase <= to) return (true, jobId);
        }
        return (false, 0);
    }

    function pick(uint256 which, bool left) internal view returns (bool, uint32) {
        uint256 slots = stakes.slotCount(modelId);
        for (uint256 i; i < slots; ++i) {
            uint32 number = uint32(addmod(which, i, slots));
            IVerifierStakes.Seat memory seat = stakes.seatOf(modelId, number);
            if (seat.owner != address(0) && (seat.leftAt != 0) == left) return (true, number);
        }
        return (false, 0);
    }

    function answerOf(bytes32 jobId, uint256 member) internal view returns (bytes32) {
        uint256 random = uint256(keccak256(abi.encode(jobId, member))) % 8;
        return answers[random < 4 ? 0 : random - 4];
    }
}
