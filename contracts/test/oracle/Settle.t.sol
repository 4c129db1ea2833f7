// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract SettleTest is Protocol {
    uint256 internal constant FEE = 3 * uint256(SHARE);
    /// @dev Just within accept, between accept and reject, beyond reject.
    bytes32 internal near = flip(DIGEST, 1, ACCEPT);
    bytes32 internal grey = flip(DIGEST, 2, REJECT);
    bytes32 internal far = flip(DIGEST, 0, REJECT + 1);

    // -------------------------------------------------------------------------------------------------------- accepted

    function test_settle_paysTheOwnersOfTheSupporters() public {
        bytes32 jobId = decided(three(DIGEST, DIGEST, near));

        vm.prank(stranger);
        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Accepted);
        assertPhase(jobId, IGenerationOracle.Phase.Closed);
        assertEq(oracle.job(jobId).digest, DIGEST);
        for (uint256 member; member < 3; ++member) {
            assertMember(jobId, member, SHARE, 0);
        }
        assertEq(oracle.creditOf(requester), 0);
    }

    function test_settle_namesTheSupporters() public {
        bytes32 jobId = decided(three(DIGEST, far, near));
        IGenerationOracle.Vote[] memory votes = oracle.votes(jobId);
        uint32[] memory supporters = new uint32[](2);
        (supporters[0], supporters[1]) = (votes[0].seat, votes[2].seat);
        bytes32 winner = DIGEST < near ? DIGEST : near;
        // Equal support; the rejected digest is a little nearer to one of the two.
        if (gap(DIGEST, far) != gap(near, far)) winner = gap(DIGEST, far) < gap(near, far) ? DIGEST : near;

        vm.expectEmit();
        emit IGenerationOracle.Settled(jobId, IGenerationOracle.Outcome.Accepted, winner, supporters);
        oracle.settle(jobId);
    }

    function test_settle_slashesWhatTheWinnerRejects() public {
        bytes32 jobId = decided(three(DIGEST, far, DIGEST));
        uint32 seat = oracle.votes(jobId)[1].seat;

        vm.expectEmit();
        emit IVerifierStakes.Slashed(jobId, modelId, seat, BOND);
        oracle.settle(jobId);

        assertMember(jobId, 0, SHARE, 0);
        assertMember(jobId, 1, 0, BOND);
        assertMember(jobId, 2, SHARE, 0);
        assertEq(oracle.creditOf(requester), SHARE);
        assertEq(BURNED.balance, BOND);
        assertEq(stakes.seatOf(modelId, seat).leftAt, 0);
    }

    function test_settle_neitherPaysNorSlashesGrey() public {
        bytes32 jobId = decided(three(DIGEST, grey, DIGEST));

        oracle.settle(jobId);

        assertMember(jobId, 1, 0, 0);
        assertEq(oracle.creditOf(requester), SHARE);
        assertEq(BURNED.balance, 0);
    }

    function test_settle_costsADissenterNothingIfTheSeedIsFixed() public {
        IGenerationOracle.Terms memory fixed_ = terms(3);
        fixed_.fixedSeed = true;
        bytes32 jobId = request(fixed_);
        oracle.draw(jobId, seed(jobId));
        commitAll(jobId, three(DIGEST, far, DIGEST));
        revealAll(jobId, three(DIGEST, far, DIGEST));

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Accepted);
        assertMember(jobId, 1, 0, 0);
    }

    function test_settle_slashesWhoHides() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 2, DIGEST);
        closeReveals(jobId);

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Accepted);
        assertMember(jobId, 1, 0, BOND);
        assertEq(oracle.creditOf(requester), SHARE);
    }

    function test_settle_burnsAQuarterShareOfWhoDeclined() public {
        bytes32 jobId = requestAndDraw(3);
        commit(jobId, 0, DIGEST);
        decline(jobId, 1);
        commit(jobId, 2, DIGEST);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 2, DIGEST);

        oracle.settle(jobId);

        assertMember(jobId, 1, 0, SHARE / 4);
        assertEq(stakes.seatOf(modelId, oracle.votes(jobId)[1].seat).leftAt, 0);
    }

    function test_settle_burnsHalfAShareOfWhoSaidNothingAndEvictsIt() public {
        bytes32 jobId = requestAndDraw(3);
        commit(jobId, 0, DIGEST);
        commit(jobId, 2, DIGEST);
        closeCommits(jobId);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 2, DIGEST);

        oracle.settle(jobId);

        assertMember(jobId, 1, 0, SHARE / 2);
        assertEq(stakes.seatOf(modelId, oracle.votes(jobId)[1].seat).leftAt, vm.getBlockTimestamp());
        assertEq(stakes.activeSeats(modelId), 4);
    }

    // ------------------------------------------------------------------------------------------------------- unresolved

    function test_settle_paysHalfSharesAndSlashesNobodyIfNobodyAgrees() public {
        bytes32 jobId = decided(three(DIGEST, far, flip(DIGEST, 3, 40)));

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Unresolved);
        assertEq(oracle.job(jobId).digest, 0);
        for (uint256 member; member < 3; ++member) {
            assertMember(jobId, member, SHARE / 2, 0);
        }
        assertEq(oracle.creditOf(requester), FEE - 3 * (SHARE / 2));
        assertEq(BURNED.balance, 0);
    }

    function test_settle_countsTheQuorumOnTheCommittee() public {
        bytes32 jobId = requestAndDraw(5);
        commit(jobId, 0, DIGEST);
        commit(jobId, 4, DIGEST);
        closeCommits(jobId);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 4, DIGEST);

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Unresolved);
        assertMember(jobId, 0, SHARE / 2, 0);
        assertMember(jobId, 1, 0, SHARE / 2);
        assertMember(jobId, 4, SHARE / 2, 0);
        assertEq(oracle.creditOf(requester), 5 * uint256(SHARE) - 2 * (SHARE / 2));
    }

    function test_settle_slashesWhoHidesInAnUnresolvedJob() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 0, DIGEST);
        closeReveals(jobId);

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Unresolved);
        assertMember(jobId, 0, SHARE / 2, 0);
        assertMember(jobId, 1, 0, BOND);
        assertMember(jobId, 2, 0, BOND);
    }

    function test_settle_slashesNobodyIfNobodyReveals() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        closeReveals(jobId);

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Unresolved);
        for (uint256 member; member < 3; ++member) {
            assertMember(jobId, member, 0, 0);
        }
        assertEq(oracle.creditOf(requester), FEE);
    }

    function test_settle_givesTheFeeBackIfEverybodyIsSilent() public {
        bytes32 jobId = requestAndDraw(3);
        closeCommits(jobId);

        oracle.settle(jobId);

        assertEq(oracle.creditOf(requester), FEE);
        assertEq(BURNED.balance, 3 * uint256(SHARE / 2));
        assertEq(stakes.activeSeats(modelId), 2);
    }

    function test_settle_leavesExcusedSeatsAlone() public {
        for (uint256 i; i < 8; ++i) {
            requestAndDraw(5);
        }
        bytes32 jobId = requestAndDraw(5);

        oracle.settle(jobId);

        assertOutcome(jobId, IGenerationOracle.Outcome.Unresolved);
        assertEq(oracle.creditOf(requester), 5 * uint256(SHARE));
        for (uint32 seat; seat < 5; ++seat) {
            assertEq(stakeOf(seat), SEAT_STAKE);
            assertEq(stakes.seatOf(modelId, seat).bonded, SEAT_STAKE);
        }
    }

    // ------------------------------------------------------------------------------------------------------------- both

    function testFuzz_settle_isExactToTheWei(uint256 steps, uint96 share) public {
        IGenerationOracle.Terms memory odd = terms(5);
        odd.share = uint96(bound(share, 1, SHARE));
        bytes32 jobId = request(odd);
        oracle.draw(jobId, seed(jobId));
        bytes32[3] memory answers = [DIGEST, far, grey];

        for (uint256 member; member < 5; ++member) {
            uint256 step = (steps >> (8 * member)) % 4;
            if (step == 1) decline(jobId, member);
            if (step > 1) commit(jobId, member, answers[(steps >> (40 + 8 * member)) % 3]);
        }
        closeCommits(jobId);
        for (uint256 member; member < 5; ++member) {
            bool reveals = (steps >> (8 * member)) % 4 == 3;
            if (reveals && oracle.job(jobId).phase == IGenerationOracle.Phase.Reveal) {
                reveal(jobId, member, answers[(steps >> (40 + 8 * member)) % 3]);
            }
        }
        closeReveals(jobId);
        oracle.settle(jobId);

        uint256 owed = oracle.creditOf(requester);
        uint256 staked;
        for (uint32 seat; seat < 5; ++seat) {
            owed += oracle.creditOf(ownerOf(seat));
            staked += stakeOf(seat);
            assertEq(stakes.seatOf(modelId, seat).bonded, 0);
        }
        assertEq(address(oracle).balance, owed);
        assertEq(address(stakes).balance, staked);
        assertEq(staked + BURNED.balance, 5 * uint256(SEAT_STAKE));
    }

    function test_settle_evictsASeatThatCannotCoverABond() public {
        uint32 slashed;
        for (uint256 i; i < 8; ++i) {
            bytes32 jobId = requestAndDraw(5);
            bytes32[] memory digests = new bytes32[](5);
            for (uint256 member; member < 5; ++member) {
                digests[member] = oracle.votes(jobId)[member].seat == slashed ? far : DIGEST;
            }
            commitAll(jobId, digests);
            revealAll(jobId, digests);
            assertEq(stakes.seatOf(modelId, slashed).leftAt, 0);
            oracle.settle(jobId);
        }

        assertEq(stakeOf(slashed), 0);
        assertEq(stakes.seatOf(modelId, slashed).leftAt, vm.getBlockTimestamp());
    }

    function test_settle_happensOnce() public {
        bytes32 jobId = decided(three(DIGEST, DIGEST, DIGEST));
        oracle.settle(jobId);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Settle, IGenerationOracle.Phase.Closed);
        oracle.settle(jobId);
    }

    function test_settle_failsWhileAMemberMayStillReveal() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, three(DIGEST, DIGEST, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Settle, IGenerationOracle.Phase.Reveal);
        oracle.settle(jobId);
    }

    function gap(bytes32 a, bytes32 b) internal view returns (uint256) {
        (uint8[4] memory distances,) = oracle.compare(modelId, a, b);
        return uint256(distances[0]) + distances[1] + distances[2] + distances[3];
    }

    function assertMember(bytes32 jobId, uint256 member, uint256 earned, uint256 lost) internal {
        uint32 seat = oracle.votes(jobId)[member].seat;
        assertEq(oracle.creditOf(ownerOf(seat)), earned, "earned");
        assertEq(stakeOf(seat), SEAT_STAKE - lost, "stake");
        assertEq(stakes.seatOf(modelId, seat).bonded, 0, "bonded");
    }
}
