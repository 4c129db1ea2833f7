// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Disputes} from "./Disputes.t.sol";

contract SettleEarlierTest is Disputes {
    // --------------------------------------------------------------------------------------------------- the same verdict

    /// @dev The last winner would see the third vote as grey; its own round's winner accepts it.
    function test_settleEarlier_judgesByItsOwnWinnerIfTheVerdictIsTheSame() public {
        bytes32 other = DIGEST ^ bytes32(uint256(0x3ff << 10) << 128);
        (, IGenerationOracle.Zone zone) = lens.compare(modelId, other, near);
        assertEq(uint8(zone), uint8(IGenerationOracle.Zone.Grey));
        bytes32 jobId = judged(three(DIGEST, DIGEST, near));
        appealTo(jobId, other);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertEq(verdict.digest, other);
        assertEq(verdict.round, 2);
        assertEq(verdict.supporters, 7);
        assertBill(1, SHARE, SHARE, SHARE);
        assertEq(total(lost[1]), 0);
        assertSolvent();
    }

    function test_settleEarlier_leavesAnAppellantWithoutARewardIfTheVerdictIsTheSame() public {
        bytes32 jobId = judged(three(DIGEST, DIGEST, far));
        appealTo(jobId, DIGEST);

        conclude(jobId);

        assertBill(1, SHARE, SHARE, 0);
        assertEq(total(lost[1]), BOND);
        assertEq(BURNED.balance, BOND);
        assertEq(oracle.balanceOf(appellant), 0);
        assertEq(oracle.balanceOf(requester), SHARE);
    }

    // --------------------------------------------------------------------------------------------------------- overturned

    function test_settleEarlier_slashesACommitteeThatIsOverturned() public {
        bytes32 jobId = judged(three(far, far, DIGEST));
        uint256 fee = appealTo(jobId, DIGEST);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertEq(verdict.digest, DIGEST);
        assertBill(1, 0, 0, SHARE);
        assertEq(total(lost[1]), 2 * uint256(BOND));
        // Its payment back, and half of it again: less than 30 % of two bonds.
        assertEq(reward[2], fee * 3 / 2);
        assertEq(oracle.balanceOf(appellant), fee * 3 / 2);
        assertEq(BURNED.balance, 2 * uint256(BOND) - fee * 3 / 2);
        assertEq(oracle.balanceOf(requester), 2 * uint256(SHARE));
        assertSolvent();
    }

    function test_settleEarlier_paysTheRoyaltyOnWhatTheLastVerdictLeaves() public {
        IModelRegistry.Model memory model = emoji();
        (model.manifestHash, model.royalty) = ("another", 1000);
        vm.prank(modelOwner);
        modelId = models.register(model, "another");
        enrol(7);
        pass(2 * SEAT_AGE);
        bytes32 jobId = judged(three(far, far, DIGEST));
        appealTo(jobId, DIGEST);

        conclude(jobId);

        assertEq(oracle.balanceOf(modelOwner), SHARE / 10);
        assertEq(oracle.balanceOf(requester), 2 * uint256(SHARE) + 2 * (SHARE / 10));
    }

    function test_settleEarlier_announcesTheReward() public {
        bytes32 jobId = judged(three(far, far, DIGEST));
        uint256 fee = appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = settleLast(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = drawn(jobId, 1);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.AppealRewarded(jobId, 2, appellant, fee * 3 / 2);
        oracle.settleEarlier(job, round, verdict);
    }

    function test_settleEarlier_rewardsFromNoMoreThanThirtyPercentOfTheSlashes() public {
        vm.fee(20 * BASE_FEE);
        bytes32 jobId = judged(three(far, far, DIGEST));
        uint256 fee = appealTo(jobId, DIGEST);
        assertGt(fee * 3 / 2, 2 * uint256(BOND) * 3 / 10);

        conclude(jobId);

        assertEq(reward[2], 2 * uint256(BOND) * 3 / 10);
        assertEq(BURNED.balance, 2 * uint256(BOND) * 7 / 10);
    }

    /// @dev A penalty is not a slash.
    function test_settleEarlier_rewardsFromBondsOnly() public {
        bytes32 jobId = requestAndDraw(3);
        commit(jobId, 0, far);
        decline(jobId, 1);
        closeCommits(jobId);
        reveal(jobId, 0, far);
        appealTo(jobId, DIGEST);

        conclude(jobId);

        assertEq(total(lost[1]), BOND + SHARE / 4 + SHARE / 2);
        assertEq(reward[2], uint256(BOND) * 3 / 10);
        assertEq(BURNED.balance, total(lost[1]) - reward[2]);
    }

    function test_settleEarlier_takesTheRewardFromTheRoundThatWasChallenged() public {
        bytes32 jobId = judged(all(3, DIGEST));
        uint256 second = appealTo(jobId, far);
        uint256 third = appealTo(jobId, DIGEST);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertEq(verdict.round, 3);
        assertEq(verdict.supporters, 15);
        assertBill(1, SHARE, SHARE, SHARE);
        assertEq(total(earned[2]), 0);
        assertEq(total(lost[2]), 7 * uint256(BOND));
        assertEq(reward[2], 0);
        assertEq(reward[3], third * 3 / 2);
        // The shares of the second round, which nobody earned.
        assertEq(oracle.balanceOf(appellant), 7 * uint256(SHARE) + third * 3 / 2);
        (, uint96 paid) = oracle.appealOf(jobId, 2);
        assertEq(paid, second - 7 * uint256(SHARE));
        assertSolvent();
    }

    function test_settleEarlier_rewardsEveryAppellantWhoWasRight() public {
        bytes32 other = flip(DIGEST, 3, 40);
        bytes32 jobId = judged(all(3, far));
        uint256 second = appealTo(jobId, other);
        uint256 third = appealTo(jobId, DIGEST);

        conclude(jobId);

        // The second round's shares went back, so that only its bounties are owed again.
        assertEq(reward[2], (second - 7 * uint256(SHARE)) * 3 / 2);
        assertEq(reward[3], third * 3 / 2);
        assertEq(BURNED.balance, 10 * uint256(BOND) - reward[2] - reward[3]);
    }

    function test_settleEarlier_slashesNobodyIfTheSeedIsFixed() public {
        IGenerationOracle.Terms memory fixed_ = terms(3);
        fixed_.fixedSeed = true;
        bytes32 jobId = request(fixed_);
        draw(jobId);
        vote(jobId, all(3, far));
        appealTo(jobId, DIGEST);

        conclude(jobId);

        assertEq(total(lost[1]), 0);
        assertEq(total(earned[1]), 0);
        assertEq(reward[2], 0);
        assertEq(oracle.balanceOf(requester), 3 * uint256(SHARE));
    }

    // --------------------------------------------------------------------------------------------------------- unresolved

    function test_settleEarlier_judgesAnUnresolvedRoundByTheLastWinner() public {
        bytes32 jobId = judged(three(DIGEST, far, grey));
        uint256 fee = appealTo(jobId, DIGEST);

        conclude(jobId);

        assertBill(1, SHARE, 0, 0);
        assertEq(total(lost[1]), BOND);
        assertEq(reward[2], uint256(BOND) * 3 / 10);
        assertLt(reward[2], fee);
    }

    function test_settleEarlier_paysHalfSharesIfTheLastVerdictIsUnresolved() public {
        bytes32 jobId = judged(three(DIGEST, DIGEST, far));
        uint256 fee = appealToNothing(jobId);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertOutcome(verdict, IGenerationOracle.Outcome.Unresolved);
        assertEq(verdict.digest, 0);
        assertBill(1, SHARE / 2, SHARE / 2, SHARE / 2);
        assertEq(total(lost[1]) + total(lost[2]), 0);
        assertEq(total(earned[2]), 7 * uint256(SHARE / 2));
        assertEq(reward[2], 0);
        assertEq(oracle.balanceOf(appellant), fee - 7 * uint256(SHARE / 2) - drawBounty(7) - settleBounty(7));
        assertEq(oracle.balanceOf(requester), 3 * uint256(SHARE) - 3 * (SHARE / 2));
        assertSolvent();
    }

    function test_settleEarlier_findsTwoUnresolvedVerdictsTheSame() public {
        bytes32 jobId = judged(three(DIGEST, far, grey));
        appealToNothing(jobId);

        conclude(jobId);

        assertBill(1, SHARE / 2, SHARE / 2, SHARE / 2);
        assertEq(oracle.balanceOf(appellant), 7 * uint256(SHARE) - 7 * uint256(SHARE / 2));
    }

    // ---------------------------------------------------------------------------------------------------------- not drawn

    function test_settleEarlier_takesAnAppealRoundThatNobodyDrewAsUnresolved() public {
        bytes32 jobId = judged(all(3, DIGEST));
        uint256 fee = appeal(jobId);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertOutcome(verdict, IGenerationOracle.Outcome.Unresolved);
        assertEq(verdict.round, 2);
        assertBill(1, SHARE / 2, SHARE / 2, SHARE / 2);
        assertEq(oracle.balanceOf(appellant), fee - settleBounty(7));
        assertSolvent();
    }

    function test_settleEarlier_settlesARoundInBetweenThatNobodyDrew() public {
        bytes32 jobId = judged(all(3, DIGEST));
        uint256 second = appeal(jobId);
        pass(60);
        appealTo(jobId, DIGEST);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertEq(verdict.digest, DIGEST);
        assertBill(1, SHARE, SHARE, SHARE);
        assertEq(earned[2].length, 0);
        assertEq(reward[3], 0);
        assertEq(oracle.balanceOf(appellant), second - settleBounty(7));
        assertSolvent();
    }

    // ---------------------------------------------------------------------------------------------- what nobody earned

    function test_settleEarlier_givesWhatAnAppealRoundDoesNotEarnToTheAppellant() public {
        bytes32 jobId = judged(all(3, DIGEST));
        uint256 fee = appeal(jobId);
        draw(jobId);
        for (uint256 member; member < 5; ++member) {
            commit(jobId, member, DIGEST);
        }
        decline(jobId, 5);
        closeCommits(jobId);
        for (uint256 member; member < 5; ++member) {
            reveal(jobId, member, DIGEST);
        }

        conclude(jobId);

        assertEq(oracle.balanceOf(appellant), 2 * uint256(SHARE));
        assertEq(oracle.balanceOf(requester), 0);
        (, uint96 paid) = oracle.appealOf(jobId, 2);
        assertEq(paid, fee - 2 * uint256(SHARE));
    }

    function test_settleEarlier_paysWhoeverSettlesEachRound() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = settleLast(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = drawn(jobId, 1);

        vm.prank(stranger);
        oracle.settleEarlier(job, round, verdict);

        assertEq(oracle.balanceOf(stranger), settleBounty(3));
        assertEq(oracle.balanceOf(address(this)), drawBounty(3) + drawBounty(7) + settleBounty(7));
    }

    // --------------------------------------------------------------------------------------------------------------- sums

    /// forge-config: default.fuzz.runs = 48
    /// forge-config: ci.fuzz.runs = 300
    function testFuzz_settleEarlier_isExactToTheWei(uint256 random, uint96 share, uint256 baseFee) public {
        vm.fee(bound(baseFee, 0, 12 gwei));
        IGenerationOracle.Terms memory odd = terms(3);
        odd.share = uint96(bound(share, SHARE / 2, SHARE));
        bytes32 jobId = request(odd);
        draw(jobId);
        act(jobId, random);
        for (uint256 i = 1; i < 1 + random % 4; ++i) {
            appeal(jobId);
            if ((random >> i) % 8 == 0) {
                closePhase(jobId);
                continue;
            }
            draw(jobId);
            act(jobId, uint256(keccak256(abi.encode(random, i))));
        }

        conclude(jobId);

        assertSolvent();
        assertBurned();
    }

    /// @dev Every member does something, and the appeal window opens.
    function act(bytes32 jobId, uint256 random) internal {
        bytes32[4] memory answers = [DIGEST, DIGEST, far, grey];
        uint256 members = roundOf(jobId).members.length;
        for (uint256 member; member < members; ++member) {
            uint256 step = (random >> (4 * member)) % 8;
            if (step == 1) decline(jobId, member);
            if (step > 1) commit(jobId, member, answers[(random >> (128 + 4 * member)) % 4]);
        }
        if (phaseOf(jobId) == IGenerationOracle.Phase.Commit) closePhase(jobId);
        for (uint256 member; member < members; ++member) {
            uint256 step = (random >> (4 * member)) % 8;
            if (step > 2) reveal(jobId, member, answers[(random >> (128 + 4 * member)) % 4]);
        }
        if (phaseOf(jobId) == IGenerationOracle.Phase.Reveal) closePhase(jobId);
    }

    /// @dev Everything that seats lost is burned, but for rewards; these are at most 30 % of what each round lost.
    function assertBurned() internal view {
        uint256 burned;
        for (uint8 number = 1; number < 5; ++number) {
            assertLe(reward[number + 1], total(lost[number]) * 3 / 10);
            burned += total(lost[number]) - reward[number + 1];
        }
        assertEq(BURNED.balance, burned);
        IVerifierStakes.Seat[] memory seats = stakes.seats(modelId, 0, SEATS);
        uint256 gone = SEATS * uint256(SEAT_STAKE);
        for (uint256 i; i < seats.length; ++i) {
            gone -= seats[i].stake;
        }
        assertEq(gone, total(lost[1]) + total(lost[2]) + total(lost[3]) + total(lost[4]));
    }

    // ---------------------------------------------------------------------------------------------------------- refusals

    function test_settleEarlier_goesFromTheLastRoundToTheFirst() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appealTo(jobId, DIGEST);
        appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = settleLast(jobId);

        failsPhase(jobId, 3, verdict);
        failsPhase(jobId, 1, verdict);
        oracle.settleEarlier(jobOf(jobId), drawn(jobId, 2), verdict);
        failsPhase(jobId, 2, verdict);
        oracle.settleEarlier(jobOf(jobId), drawn(jobId, 1), verdict);
        failsPhase(jobId, 1, verdict);
    }

    function test_settleEarlier_failsForARoundThatNeverWas() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = settleLast(jobId);
        failsPhase(jobId, 0, verdict);
        failsPhase(jobId, 4, verdict);
        failsPhase(jobId, 255, verdict);
    }

    function test_settleEarlier_failsBeforeTheLastRoundIsSettled() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict;
        failsVerdict(jobId, verdict);
    }

    function testFuzz_settleEarlier_failsWithAnotherVerdict(uint256 part) public {
        bytes32 jobId = judged(three(far, far, DIGEST));
        appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = settleLast(jobId);
        part = bound(part, 0, 4);
        if (part == 0) verdict.outcome = IGenerationOracle.Outcome.Unresolved;
        if (part == 1) verdict.digest = far;
        if (part == 2) verdict.round = 1;
        if (part == 3) verdict.supporters = 1;
        if (part == 4) verdict.safeValue += 1;
        failsVerdict(jobId, verdict);
    }

    function test_settleEarlier_failsIfTheRoundIsAnother() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appealTo(jobId, DIGEST);
        IGenerationOracle.Verdict memory verdict = settleLast(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = drawn(jobId, 1);
        round.drawSeed = ~round.drawSeed;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongRound.selector, jobId, 1));
        oracle.settleEarlier(job, round, verdict);
    }

    /// @notice The first part of `conclude`.
    function settleLast(bytes32 jobId) internal returns (IGenerationOracle.Verdict memory) {
        closeAppeals(jobId);
        keep(jobId);
        vm.recordLogs();
        oracle.settle(jobOf(jobId), roundOf(jobId));
        return note();
    }

    function failsPhase(bytes32 jobId, uint8 number, IGenerationOracle.Verdict memory verdict) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = drawn(jobId, number);
        expectWrongPhase(IGenerationOracle.Phase.Settle);
        oracle.settleEarlier(job, round, verdict);
    }

    function failsVerdict(bytes32 jobId, IGenerationOracle.Verdict memory verdict) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = drawn(jobId, 1);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongVerdict.selector, jobId));
        oracle.settleEarlier(job, round, verdict);
    }

    function assertBill(uint8 number, uint96 a, uint96 b, uint96 c) internal view {
        assertEq(earned[number].length, 3);
        assertEq(earned[number][0], a, "first");
        assertEq(earned[number][1], b, "second");
        assertEq(earned[number][2], c, "third");
    }
}
