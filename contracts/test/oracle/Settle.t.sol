// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Disputes} from "./Disputes.t.sol";

contract SettleTest is Disputes {
    using Members for IGenerationOracle.Member;

    // ----------------------------------------------------------------------------------------------------------- accepted

    function test_settle_paysTheSeatsOfTheSupporters() public {
        bytes32 jobId = decided(three(DIGEST, DIGEST, near));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);

        vm.prank(stranger);
        oracle.settle(job, round);

        assertPhase(jobId, IGenerationOracle.Phase.Settled);
        for (uint256 member; member < 3; ++member) {
            assertMember(jobId, member, SHARE, 0);
        }
        assertEq(oracle.balanceOf(requester), 0);
        assertEq(oracle.balanceOf(address(this)), drawBounty(3));
        assertEq(oracle.balanceOf(stranger), settleBounty(3));
        assertEq(BURNED.balance, 0);
    }

    function test_settle_paysAKeeperOfTheCommitteeAtItsSeat() public {
        bytes32 jobId = decided(three(DIGEST, DIGEST, near));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        address keeper = round.members[1].operator();

        vm.prank(keeper);
        oracle.settle(job, round);

        assertEq(stakes.seatOf(modelId, round.members[1].seat()).earned, SHARE + settleBounty(3));
        assertEq(oracle.balanceOf(keeper), 0);
    }

    /// @dev Anybody can enrol a seat and name anybody its operator: that must not cost a keeper its bounty.
    function test_settle_paysAKeeperItselfWhereItsSeatEarnedNothing() public {
        bytes32 jobId = votedBut(2);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        address keeper = round.members[2].operator();

        vm.prank(keeper);
        oracle.settle(job, round);

        assertEq(stakes.seatOf(modelId, round.members[2].seat()).earned, 0);
        assertEq(oracle.balanceOf(keeper), settleBounty(3));
    }

    function test_settle_givesTheVerdict() public {
        bytes32 jobId = decided(three(DIGEST, DIGEST, near));
        IGenerationOracle.Verdict memory verdict = IGenerationOracle.Verdict({
            outcome: IGenerationOracle.Outcome.Accepted,
            digest: DIGEST,
            round: 1,
            supporters: 3,
            safeValue: 2 * uint256(BOND) * 7 / 10
        });
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Settled(jobId, verdict);
        oracle.settle(job, round);

        assertTrue(oracle.isFinal(jobId, verdict));
        verdict.supporters = 2;
        assertFalse(oracle.isFinal(jobId, verdict));
    }

    function test_settle_namesTheWinnerThatIsNearerToAll() public {
        bytes32 jobId = decided(three(near, flip(DIGEST, 1, 4), DIGEST));
        IGenerationOracle.Verdict memory verdict = conclude(jobId);
        assertEq(verdict.digest, flip(DIGEST, 1, 4));
        assertEq(verdict.supporters, 3);
    }

    function test_settle_announcesWhatEachMemberEarnsAndLoses() public {
        bytes32 jobId = decided(three(DIGEST, far, DIGEST));
        uint96[] memory earned_ = new uint96[](3);
        uint96[] memory lost_ = new uint96[](3);
        (earned_[0], earned_[2], lost_[1]) = (SHARE, SHARE, BOND);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.RoundSettled(jobId, 1, earned_, lost_);
        oracle.settle(job, round);
    }

    function test_settle_slashesWhatTheWinnerRejects() public {
        bytes32 jobId = decided(three(DIGEST, far, DIGEST));

        settle(jobId);

        assertMember(jobId, 0, SHARE, 0);
        assertMember(jobId, 1, 0, BOND);
        assertMember(jobId, 2, SHARE, 0);
        assertEq(oracle.balanceOf(requester), SHARE);
        assertEq(BURNED.balance, BOND);
        assertEq(seatOf(jobId, 1).leftAt, 0);
        assertEq(seatOf(jobId, 1).bonds, 7);
    }

    function test_settle_neitherPaysNorSlashesGrey() public {
        bytes32 jobId = decided(three(DIGEST, grey, DIGEST));

        settle(jobId);

        assertMember(jobId, 1, 0, 0);
        assertEq(oracle.balanceOf(requester), SHARE);
        assertEq(BURNED.balance, 0);
    }

    function test_settle_costsADissenterNothingIfTheSeedIsFixed() public {
        IGenerationOracle.Terms memory fixed_ = terms(3);
        fixed_.fixedSeed = true;
        bytes32 jobId = request(fixed_);
        draw(jobId);
        vote(jobId, three(DIGEST, far, DIGEST));

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertOutcome(verdict, IGenerationOracle.Outcome.Accepted);
        assertEq(verdict.safeValue, 0);
        assertMember(jobId, 1, 0, 0);
    }

    function test_settle_paysTheRoyaltyOnWhatIsEarned() public {
        IModelRegistry.Model memory model = emoji();
        model.royalty = 1000;
        use(model);
        bytes32 jobId = decided(three(DIGEST, far, DIGEST));

        settle(jobId);

        assertEq(oracle.balanceOf(modelOwner), 2 * uint256(SHARE) / 10);
        assertEq(oracle.balanceOf(requester), uint256(SHARE) * 11 / 10);
        assertEq(oracle.balanceOf(address(this)), drawBounty(3) + settleBounty(3));
    }

    // ------------------------------------------------------------------------------------------------- who did not reveal

    function test_settle_slashesWhoHides() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, all(3, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 2, DIGEST);

        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Accepted);

        assertMember(jobId, 1, 0, BOND);
        assertEq(oracle.balanceOf(requester), SHARE);
    }

    function test_settle_burnsAQuarterShareOfWhoDeclined() public {
        bytes32 jobId = requestAndDraw(3);
        commit(jobId, 0, DIGEST);
        decline(jobId, 1);
        commit(jobId, 2, DIGEST);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 2, DIGEST);

        conclude(jobId);

        assertMember(jobId, 1, 0, SHARE / 4);
        assertEq(seatOf(jobId, 1).leftAt, 0);
        assertEq(BURNED.balance, SHARE / 4);
    }

    function test_settle_burnsHalfAShareOfWhoSaidNothingAndEvictsIt() public {
        bytes32 jobId = votedBut(1);
        uint32 silent = roundOf(jobId).members[1].seat();

        vm.expectEmit(address(oracle));
        emit IVerifierStakes.Left(modelId, silent, true);
        settle(jobId);

        assertMember(jobId, 1, 0, SHARE / 2);
        assertEq(seatOf(jobId, 1).leftAt, vm.getBlockTimestamp());
        assertEq(stakes.poolOf(modelId).active, SEATS - 1);
        assertEq(BURNED.balance, SHARE / 2);
    }

    function test_settle_evictsNobodyWhoHasLeft() public {
        bytes32 jobId = requestAndDraw(3);
        uint32 silent = roundOf(jobId).members[1].seat();
        vm.prank(ownerOf(silent));
        stakes.leavePool(modelId, silent);
        uint40 leftAt = seatOf(jobId, 1).leftAt;

        conclude(jobId);

        assertEq(seatOf(jobId, 1).leftAt, leftAt);
        assertEq(stakes.poolOf(modelId).active, SEATS - 3);
        assertMember(jobId, 1, 0, SHARE / 2);
    }

    function test_settle_paysASeatThatHasLeft() public {
        bytes32 jobId = request(3);
        for (uint32 seat; seat < SEATS; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        draw(jobId);
        vote(jobId, all(3, DIGEST));

        conclude(jobId);

        assertMember(jobId, 0, SHARE, 0);
    }

    function test_settle_evictsASeatThatCannotCoverABond() public {
        use(emoji());
        for (uint256 i; i < 8; ++i) {
            bytes32 jobId = requestAndDraw(5);
            bytes32[] memory digests = all(5, DIGEST);
            for (uint256 member; member < 5; ++member) {
                if (roundOf(jobId).members[member].seat() == 0) digests[member] = far;
            }
            vote(jobId, digests);
            assertEq(stakes.seatOf(modelId, 0).leftAt, 0);
            closeAppeals(jobId);
            settle(jobId);
            assertEq(stakes.seatOf(modelId, 0).bonds, 7 - i);
        }

        assertEq(stakeOf(0), 0);
        assertEq(stakes.seatOf(modelId, 0).leftAt, vm.getBlockTimestamp());
        assertEq(stakes.poolOf(modelId).active, 4);
    }

    // --------------------------------------------------------------------------------------------------------- unresolved

    function test_settle_paysHalfSharesAndSlashesNobodyIfNobodyAgrees() public {
        bytes32 jobId = decided(three(DIGEST, far, flip(DIGEST, 3, 40)));

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertOutcome(verdict, IGenerationOracle.Outcome.Unresolved);
        assertEq(verdict.digest, 0);
        assertEq(verdict.supporters, 0);
        for (uint256 member; member < 3; ++member) {
            assertMember(jobId, member, SHARE / 2, 0);
        }
        assertEq(oracle.balanceOf(requester), 3 * uint256(SHARE) - 3 * (SHARE / 2));
        assertEq(BURNED.balance, 0);
    }

    function test_settle_paysNoRoyaltyIfUnresolved() public {
        IModelRegistry.Model memory model = emoji();
        model.royalty = 1000;
        use(model);

        conclude(decided(three(DIGEST, far, flip(DIGEST, 3, 40))));

        assertEq(oracle.balanceOf(modelOwner), 0);
        assertEq(oracle.balanceOf(requester), uint256(SHARE) * 33 / 10 - 3 * (SHARE / 2));
    }

    function test_settle_countsTheQuorumOnTheCommittee() public {
        bytes32 jobId = requestAndDraw(5);
        commit(jobId, 0, DIGEST);
        commit(jobId, 4, DIGEST);
        closeCommits(jobId);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 4, DIGEST);

        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Unresolved);

        assertMember(jobId, 0, SHARE / 2, 0);
        assertMember(jobId, 1, 0, SHARE / 2);
        assertMember(jobId, 4, SHARE / 2, 0);
        assertEq(oracle.balanceOf(requester), 5 * uint256(SHARE) - 2 * (SHARE / 2));
    }

    function test_settle_needsMoreThanTwoThirdsForASuperMajority() public {
        IGenerationOracle.Terms memory super_ = terms(5);
        super_.superMajority = true;
        bytes32[] memory digests = all(5, DIGEST);
        digests[4] = far;

        assertEq(settledAs(super_, digests), 4);
        digests[3] = far;
        assertEq(settledAs(super_, digests), 0);
        super_.superMajority = false;
        assertEq(settledAs(super_, digests), 3);
    }

    function settledAs(IGenerationOracle.Terms memory terms_, bytes32[] memory digests) internal returns (uint8) {
        bytes32 jobId = request(terms_);
        draw(jobId);
        vote(jobId, digests);
        return conclude(jobId).supporters;
    }

    function test_settle_slashesWhoHidesInAnUnresolvedJob() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, all(3, DIGEST));
        reveal(jobId, 0, DIGEST);

        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Unresolved);

        assertMember(jobId, 0, SHARE / 2, 0);
        assertMember(jobId, 1, 0, BOND);
        assertMember(jobId, 2, 0, BOND);
    }

    function test_settle_slashesNobodyIfNobodyReveals() public {
        bytes32 jobId = requestAndDraw(3);
        commitAll(jobId, all(3, DIGEST));

        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Unresolved);

        for (uint256 member; member < 3; ++member) {
            assertMember(jobId, member, 0, 0);
        }
        assertEq(oracle.balanceOf(requester), 3 * uint256(SHARE));
    }

    function test_settle_givesTheSharesBackIfEverybodyIsSilent() public {
        bytes32 jobId = requestAndDraw(3);

        conclude(jobId);

        assertEq(oracle.balanceOf(requester), 3 * uint256(SHARE));
        assertEq(BURNED.balance, 3 * uint256(SHARE / 2));
        assertEq(stakes.poolOf(modelId).active, SEATS - 3);
    }

    function test_settle_leavesExcusedSeatsAlone() public {
        use(emoji());
        for (uint256 i; i < 8; ++i) {
            requestAndDraw(5);
        }
        bytes32 jobId = requestAndDraw(5);

        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Unresolved);

        assertEq(oracle.balanceOf(requester), 5 * uint256(SHARE));
        for (uint32 seat; seat < 5; ++seat) {
            assertEq(stakeOf(seat), SEAT_STAKE);
            assertEq(stakes.seatOf(modelId, seat).places, 255);
        }
    }

    // --------------------------------------------------------------------------------------------------------------- both

    function testFuzz_settle_isExactToTheWei(uint256 steps, uint96 share) public {
        IGenerationOracle.Terms memory odd = terms(5);
        odd.share = uint96(bound(share, SHARE / 2, SHARE));
        bytes32 jobId = request(odd);
        uint256 fee = address(oracle).balance - SEATS * uint256(SEAT_STAKE);
        draw(jobId);
        bytes32[3] memory answers = [DIGEST, far, grey];

        for (uint256 member; member < 5; ++member) {
            uint256 step = (steps >> (8 * member)) % 4;
            if (step == 1) decline(jobId, member);
            if (step > 1) commit(jobId, member, answers[(steps >> (40 + 8 * member)) % 3]);
        }
        if (phaseOf(jobId) == IGenerationOracle.Phase.Commit) closePhase(jobId);
        for (uint256 member; member < 5; ++member) {
            bool reveals = (steps >> (8 * member)) % 4 == 3;
            if (reveals) reveal(jobId, member, answers[(steps >> (40 + 8 * member)) % 3]);
        }
        conclude(jobId);

        assertSolvent();
        uint256 out = total(earned[1]) + oracle.balanceOf(requester) + drawBounty(5) + settleBounty(5);
        assertEq(out, fee);
        assertEq(BURNED.balance, total(lost[1]));
    }

    // ---------------------------------------------------------------------------------------------------------- refusals

    function test_settle_happensOnce() public {
        bytes32 jobId = decided(all(3, DIGEST));
        settle(jobId);
        fails(jobId);
    }

    function test_settle_failsUntilTheAppealWindowIsClosed() public {
        bytes32 jobId = request(3);
        fails(jobId);
        draw(jobId);
        fails(jobId);
        commitAll(jobId, all(3, DIGEST));
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        fails(jobId);
        reveal(jobId, 2, DIGEST);
        pass(APPEAL_WINDOW - 1);
        fails(jobId);

        pass(1);
        settle(jobId);
    }

    function test_settle_failsForAFirstRoundThatNobodyDrew() public {
        bytes32 jobId = request(3);
        pass(60);
        fails(jobId);
    }

    function testFuzz_settle_failsIfAnythingOfTheRoundIsAnother(uint256 part) public {
        bytes32 jobId = decided(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        part = bound(part, 0, 2);
        if (part == 0) round.drawSeed = ~round.drawSeed;
        if (part == 1) round.members[0] = round.members[1];
        if (part == 2) round.members = new IGenerationOracle.Member[](0);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, jobId, 1));
        oracle.settle(job, round);
    }

    function test_settle_failsForAJobThatWasNeverPaid() public {
        bytes32 jobId = decided(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        job.terms.share += 1;

        expectWrongPhase(IGenerationOracle.Phase.Settle);
        oracle.settle(job, round);
    }

    function fails(bytes32 jobId) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory none;
        IGenerationOracle.Round memory round = phaseOf(jobId) < IGenerationOracle.Phase.Commit ? none : roundOf(jobId);
        expectWrongPhase(IGenerationOracle.Phase.Settle);
        oracle.settle(job, round);
    }

    /// @notice A pool of five for a model of its own.
    function use(IModelRegistry.Model memory model) internal {
        model.manifestHash = "another";
        vm.prank(modelOwner);
        modelId = models.register(model, "another");
        enrol(5);
        pass(2 * SEAT_AGE);
    }

    function seatOf(bytes32 jobId, uint256 member) internal view returns (IVerifierStakes.Seat memory) {
        return stakes.seatOf(modelId, roundOf(jobId).members[member].seat());
    }

    function assertMember(bytes32 jobId, uint256 member, uint256 earned_, uint256 lost_) internal view {
        IVerifierStakes.Seat memory seat = seatOf(jobId, member);
        assertEq(seat.earned, earned_, "earned");
        assertEq(seat.stake, SEAT_STAKE - lost_, "stake");
        assertEq(seat.places, 0, "places");
    }

    /// @notice A job in which two of three agree and one says nothing, up to the settlement.
    function votedBut(uint256 silent) internal returns (bytes32 jobId) {
        jobId = requestAndDraw(3);
        for (uint256 member; member < 3; ++member) {
            if (member != silent) commit(jobId, member, DIGEST);
        }
        closeCommits(jobId);
        for (uint256 member; member < 3; ++member) {
            if (member != silent) reveal(jobId, member, DIGEST);
        }
        closeAppeals(jobId);
    }
}
