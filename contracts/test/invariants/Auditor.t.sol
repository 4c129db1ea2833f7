// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {IGenerationLens} from "../../src/interfaces/IGenerationLens.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Fees} from "../../src/libraries/Fees.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Rounds} from "../../src/libraries/Rounds.sol";
import {Rulings} from "../../src/libraries/Rulings.sol";
import {Tally} from "../../src/libraries/Tally.sol";
import {Actors} from "./Actors.t.sol";

/// @notice Notes what happens, and holds it against what the protocol promises.
abstract contract Auditor is Actors {
    using Fees for IGenerationOracle.Job;
    using Members for IGenerationOracle.Member;

    /// @dev Those that are not over.
    bytes32[] public jobs;

    /// @dev By job and round: what is known of a draw, when it is opened and when it has happened.
    mapping(bytes32 => mapping(uint8 => bytes32)) internal _foretold;
    mapping(bytes32 => mapping(uint8 => bytes)) internal _drawn;
    mapping(bytes32 => mapping(uint8 => uint40)) internal _commitDeadline;
    /// @dev A bit for each member that has revealed what is honest, and the count of those who revealed something else.
    mapping(bytes32 => mapping(uint8 => uint256)) internal _honest;
    mapping(bytes32 => mapping(uint8 => uint256)) internal _hostile;
    mapping(bytes32 => mapping(uint8 => uint256)) internal _settlements;
    mapping(bytes32 => uint256) internal _rank;
    mapping(uint32 seat => uint256) public lostBy;

    mapping(IGenerationOracle.Phase => uint256) public reached;
    uint256 public slashed;
    uint256 public overturned;
    /// @dev The first promise that was broken.
    string public broken;

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
}
