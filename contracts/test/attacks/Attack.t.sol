// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice What an attacker is worth, and moves that the oracle may refuse. What gas costs is left out: an attack must not
/// pay even where gas is free.
abstract contract Attack is Protocol {
    using Members for IGenerationOracle.Member;

    /// @dev Not what the honest get.
    bytes32 internal constant FAKE = keccak256("a cheap picture") & BITS;

    function setUp() public virtual override {
        super.setUp();
        vm.deal(stranger, 10 ether);
    }

    // -------------------------------------------------------------------------------------------------------- the worth

    function worth(address account) internal view returns (uint256) {
        return account.balance + oracle.balanceOf(account);
    }

    function worth(uint32 seat) internal view returns (uint256) {
        IVerifierStakes.Seat memory it = stakes.seatOf(modelId, seat);
        return uint256(it.stake) + it.earned;
    }

    /// @notice Of the seat of a member of the latest round.
    function worthOf(bytes32 jobId, uint256 member) internal view returns (uint256) {
        return worth(seatAt(jobId, member));
    }

    function seatAt(bytes32 jobId, uint256 member) internal view returns (uint32) {
        return roundOf(jobId).members[member].seat();
    }

    function operatorAt(bytes32 jobId, uint256 member) internal view returns (address) {
        return roundOf(jobId).members[member].operator();
    }

    // --------------------------------------------------------------------------------------------------------- the moves

    /// @return done whether the oracle took it
    function attempt(address sender, bytes memory data) internal returns (bool done) {
        vm.prank(sender);
        (done,) = address(oracle).call(data);
    }

    function tryCommit(bytes32 jobId, uint256 member, bytes32 digest) internal returns (bool) {
        return tryCommitment(jobId, member, commitment(jobId, member, digest));
    }

    function tryCommitment(bytes32 jobId, uint256 member, bytes32 hash) internal returns (bool) {
        IGenerationOracle.Round memory round = roundOf(jobId);
        return attempt(operatorAt(jobId, member), abi.encodeCall(oracle.commit, (jobId, round, member, hash)));
    }

    function tryReveal(bytes32 jobId, uint256 member, bytes32 digest) internal returns (bool) {
        return tryReveal(jobId, member, openingOf(jobId, member, digest));
    }

    function tryReveal(bytes32 jobId, uint256 member, IGenerationOracle.Opening memory opening)
        internal
        returns (bool)
    {
        return attempt(operatorAt(jobId, member), revealCall(jobId, member, opening));
    }

    /// @notice A committee of three votes honestly to the end, the first as well as it can after what was done to it.
    function carryOn(bytes32 jobId) internal {
        tryCommit(jobId, 0, DIGEST);
        commit(jobId, 1, DIGEST);
        commit(jobId, 2, DIGEST);
        tryReveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        reveal(jobId, 2, DIGEST);
        finish(jobId);
    }

    /// @notice Lets every window pass and settles the latest round.
    function finish(bytes32 jobId) internal returns (IGenerationOracle.Verdict memory) {
        closeAppeals(jobId);
        vm.recordLogs();
        settle(jobId);
        return verdictIn(vm.getRecordedLogs());
    }

    function verdictIn(Vm.Log[] memory logs) internal pure returns (IGenerationOracle.Verdict memory verdict) {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IGenerationOracle.Settled.selector) continue;
            verdict = abi.decode(logs[i].data, (IGenerationOracle.Verdict));
        }
    }

    // ------------------------------------------------------------------------------------------------------- the appeals

    /// @notice Opens and draws the next round.
    function appeal(bytes32 jobId, address appellant) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint256 fee = lens.appealFee(job);
        vm.prank(appellant);
        oracle.appeal{value: fee}(job);
        draw(jobId);
    }

    /// @notice Every member of the latest round votes for `digest`.
    function voteAll(bytes32 jobId, bytes32 digest) internal {
        bytes32[] memory digests = new bytes32[](roundOf(jobId).members.length);
        for (uint256 i; i < digests.length; ++i) {
            digests[i] = digest;
        }
        vote(jobId, digests);
    }

    /// @notice A pool in which the second round of a job of three is staffed, and its safe value is not zero.
    function fillPool() internal {
        enrol(20);
        pass(2 * SEAT_AGE);
    }
}
