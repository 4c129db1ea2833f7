// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice Jobs of several rounds, up to their last word, from a pool that can staff them all.
abstract contract Disputes is Protocol {
    uint32 internal constant SEATS = 40;
    /// @dev What keepers are paid for a unit of gas.
    uint256 internal constant GAS_PRICE = 2 * uint256(BASE_FEE);

    /// @dev Just within accept, between accept and reject, beyond reject.
    bytes32 internal near = flip(DIGEST, 1, ACCEPT);
    bytes32 internal grey = flip(DIGEST, 2, REJECT);
    bytes32 internal far = flip(DIGEST, 0, REJECT + 1);

    address internal appellant = makeAddr("appellant");
    /// @dev What the rounds of the latest job that was concluded came to, by number, as announced.
    mapping(uint8 number => uint96[]) internal earned;
    mapping(uint8 number => uint96[]) internal lost;
    /// @dev By the number of the round that the appeal opened.
    mapping(uint8 number => uint256) internal reward;
    mapping(bytes32 jobId => mapping(uint8 number => bytes)) private _kept;

    function setUp() public virtual override {
        super.setUp();
        enrol(SEATS - 5);
        pass(2 * SEAT_AGE);
    }

    // -------------------------------------------------------------------------------------------------------- the moves

    /// @notice A first round in which every member reveals what is given for it.
    function judged(bytes32[] memory digests) internal returns (bytes32 jobId) {
        jobId = requestAndDraw(uint8(digests.length));
        vote(jobId, digests);
    }

    function appeal(bytes32 jobId) internal returns (uint256 fee) {
        IGenerationOracle.Job memory job = jobOf(jobId);
        keep(jobId);
        fee = lens.appealFee(job);
        hoax(appellant, fee);
        oracle.appeal{value: fee}(job);
    }

    /// @notice An appeal round in which everybody reveals `digest`.
    function appealTo(bytes32 jobId, bytes32 digest) internal returns (uint256 fee) {
        fee = appeal(jobId);
        draw(jobId);
        vote(jobId, all(roundOf(jobId).members.length, digest));
    }

    /// @notice An appeal round in which no two digests are near each other.
    function appealToNothing(bytes32 jobId) internal returns (uint256 fee) {
        fee = appeal(jobId);
        draw(jobId);
        bytes32[] memory digests = all(roundOf(jobId).members.length, DIGEST);
        for (uint256 i; i < digests.length; ++i) {
            digests[i] = keccak256(abi.encode("other", i)) & BITS;
        }
        vote(jobId, digests);
    }

    /// @notice Settles all rounds, the last one first.
    function conclude(bytes32 jobId) internal returns (IGenerationOracle.Verdict memory verdict) {
        closeAppeals(jobId);
        keep(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint8 number = lens.roundOf(job).latest;
        vm.recordLogs();
        oracle.settle(job, drawn(jobId, number));
        verdict = note();
        while (--number > 0) {
            vm.recordLogs();
            oracle.settleEarlier(job, drawn(jobId, number), verdict);
            note();
        }
    }

    // ------------------------------------------------------------------------------------------------------- the record

    /// @notice Keeps the latest drawn round, before another one takes its place.
    function keep(bytes32 jobId) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        _kept[jobId][round.number] = abi.encode(round);
    }

    /// @notice A kept round; with no members if it was never drawn.
    function drawn(bytes32 jobId, uint8 number) internal view returns (IGenerationOracle.Round memory round) {
        bytes memory kept = _kept[jobId][number];
        if (kept.length > 0) return abi.decode(kept, (IGenerationOracle.Round));
        round.number = number;
    }

    /// @notice Takes note of what was settled since `vm.recordLogs`.
    function note() internal returns (IGenerationOracle.Verdict memory verdict) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            if (topic == IGenerationOracle.Settled.selector) {
                verdict = abi.decode(logs[i].data, (IGenerationOracle.Verdict));
            }
            if (topic == IGenerationOracle.RoundSettled.selector) noteRound(logs[i].data);
            if (topic == IGenerationOracle.AppealRewarded.selector) {
                (uint8 number, uint256 amount) = abi.decode(logs[i].data, (uint8, uint256));
                reward[number] = amount;
            }
        }
    }

    function noteRound(bytes memory data) private {
        (uint8 number, uint96[] memory earned_, uint96[] memory lost_) = abi.decode(data, (uint8, uint96[], uint96[]));
        (earned[number], lost[number]) = (earned_, lost_);
    }

    // -------------------------------------------------------------------------------------------------------- the money

    function drawBounty(uint256 size) internal pure returns (uint256) {
        return (60_000 + 15_000 * size) * GAS_PRICE;
    }

    function settleBounty(uint256 size) internal pure returns (uint256) {
        return (60_000 + 30_000 * size) * GAS_PRICE;
    }

    function total(uint96[] storage amounts) internal view returns (uint256 sum) {
        for (uint256 i; i < amounts.length; ++i) {
            sum += amounts[i];
        }
    }

    /// @notice That the oracle holds exactly what it owes, once no job is open.
    function assertSolvent() internal view {
        IVerifierStakes.Seat[] memory seats = stakes.seats(modelId, 0, SEATS);
        uint256 owed = oracle.balanceOf(requester) + oracle.balanceOf(appellant) + oracle.balanceOf(modelOwner)
            + oracle.balanceOf(address(this));
        for (uint256 i; i < seats.length; ++i) {
            assertEq(seats[i].places, 0, "places");
            owed += uint256(seats[i].stake) + seats[i].earned;
        }
        assertEq(address(oracle).balance, owed, "owed");
    }

    function assertOutcome(IGenerationOracle.Verdict memory verdict, IGenerationOracle.Outcome expected) internal pure {
        assertEq(uint8(verdict.outcome), uint8(expected));
    }

    // ------------------------------------------------------------------------------------------------------ the digests

    function all(uint256 count, bytes32 digest) internal pure returns (bytes32[] memory digests) {
        digests = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            digests[i] = digest;
        }
    }
}
