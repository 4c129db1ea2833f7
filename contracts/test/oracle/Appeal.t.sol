// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Disputes} from "./Disputes.t.sol";

contract AppealTest is Disputes {
    using Members for IGenerationOracle.Member;

    /// @dev Of the second round after one of three.
    uint256 internal constant FEE = 7 * uint256(SHARE) + (165_000 + 270_000) * GAS_PRICE;

    function test_appeal_opensTheNextRound() public {
        bytes32 jobId = judged(all(3, DIGEST));
        uint40 deadline = uint40(vm.getBlockTimestamp() + 60);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Opened(jobId, 2, appellant, uint64(vm.getBlockNumber() + 2), deadline);
        assertEq(appeal(jobId), FEE);

        IGenerationOracle.RoundState memory state = oracle.stateOf(jobId, 2);
        assertEq(uint8(state.stage), uint8(IGenerationOracle.Stage.Opened));
        assertEq(state.clock, deadline);
        assertEq(oracle.stateOf(jobId, 1).latest, 2);
        assertPhase(jobId, IGenerationOracle.Phase.Requested);
        (address by, uint96 paid) = oracle.appealOf(jobId, 2);
        assertEq(by, appellant);
        assertEq(paid, FEE);
    }

    function test_appeal_drawsTwiceAsManyAndOneUpToThirtyOne() public {
        assertSizes(3, [uint256(7), 15, 31]);
        assertSizes(5, [uint256(11), 23, 31]);
        assertSizes(15, [uint256(31), 31, 31]);
        assertSizes(31, [uint256(31), 31, 31]);
    }

    function assertSizes(uint8 first, uint256[3] memory sizes) internal {
        bytes32 jobId = judged(all(first, DIGEST));
        for (uint256 i; i < 3; ++i) {
            appealTo(jobId, DIGEST);
            assertEq(roundOf(jobId).members.length, sizes[i]);
            assertEq(roundOf(jobId).number, i + 2);
        }
        // Or the seats are fully bound by the jobs to come.
        conclude(jobId);
    }

    function test_appeal_keepsTheMajorityThatWasPaidFor() public {
        IGenerationOracle.Terms memory super_ = terms(5);
        super_.superMajority = true;
        bytes32 jobId = request(super_);
        draw(jobId);
        vote(jobId, all(5, DIGEST));
        appeal(jobId);
        draw(jobId);
        bytes32[] memory digests = all(11, DIGEST);
        for (uint256 i = 7; i < 11; ++i) {
            digests[i] = far;
        }
        vote(jobId, digests);

        // Seven of eleven are a majority, and not two thirds.
        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Unresolved);
    }

    // -------------------------------------------------------------------------------------------------------- the payment

    function testFuzz_appeal_spendsTheBalanceAndKeepsTheRest(uint256 before, uint256 sent) public {
        IGenerationOracle.Job memory job = jobOf(judged(all(3, DIGEST)));
        (before, sent) = (bound(before, 0, 1 ether), bound(sent, 0, 1 ether));
        vm.deal(appellant, before + sent);
        vm.startPrank(appellant);
        oracle.deposit{value: before}();

        if (before + sent < FEE) {
            vm.expectRevert(
                abi.encodeWithSelector(IGenerationOracle.BalanceTooSmall.selector, appellant, before + sent, FEE)
            );
        }
        oracle.appeal{value: sent}(job);

        assertEq(oracle.balanceOf(appellant), before + sent < FEE ? before : before + sent - FEE);
    }

    function test_appeal_takesNoRoyalty() public {
        bytes32 jobId = judged(all(3, DIGEST));
        assertEq(lens.appealFee(jobOf(jobId)), FEE);
    }

    function test_appeal_isOpenToAnybody() public {
        bytes32 jobId = judged(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        address operator = roundOf(jobId).members[0].operator();

        hoax(operator, FEE);
        oracle.appeal{value: FEE}(job);

        (address by,) = oracle.appealOf(jobId, 2);
        assertEq(by, operator);
    }

    // ----------------------------------------------------------------------------------------------------------- the pool

    function test_appeal_drawsFromThePoolAsItStoodAtTheRequest() public {
        bytes32 jobId = judged(all(15, DIGEST));
        for (uint32 seat; seat < 10; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        enrol(20);
        appeal(jobId);
        draw(jobId);

        IGenerationOracle.Round memory round = roundOf(jobId);
        bool gone;
        for (uint256 i; i < 31; ++i) {
            assertLt(round.members[i].seat(), SEATS);
            gone = gone || round.members[i].seat() < 10;
        }
        assertTrue(gone);
    }

    function test_appeal_bindsASeatOnceForEachRoundItSitsIn() public {
        bytes32 jobId = judged(all(31, DIGEST));
        appealTo(jobId, DIGEST);

        uint256 both;
        for (uint32 seat; seat < SEATS; ++seat) {
            if (stakes.seatOf(modelId, seat).places == 3) ++both;
        }
        assertGe(both, 22);
        assertOutcome(conclude(jobId), IGenerationOracle.Outcome.Accepted);
    }

    // ---------------------------------------------------------------------------------------------------------- the times

    function test_appeal_worksInTheLastSecondOfItsWindow() public {
        bytes32 jobId = judged(all(3, DIGEST));
        pass(APPEAL_WINDOW - 1);
        appeal(jobId);
    }

    function test_appeal_failsAfterItsWindow() public {
        bytes32 jobId = judged(all(3, DIGEST));
        pass(APPEAL_WINDOW);
        fails(jobId);
    }

    function test_appeal_failsWhileTheRoundIsOpen() public {
        bytes32 jobId = request(3);
        fails(jobId);
        draw(jobId);
        fails(jobId);
        commitAll(jobId, all(3, DIGEST));
        fails(jobId);
        reveal(jobId, 0, DIGEST);
        reveal(jobId, 1, DIGEST);
        fails(jobId);
        reveal(jobId, 2, DIGEST);
        appeal(jobId);
        fails(jobId);
    }

    function test_appeal_countsFromTheRevealDeadlineIfSomebodyHides() public {
        bytes32 jobId = requestAndDraw(3);
        uint40 deadline = oracle.stateOf(jobId, 1).clock + REVEAL_WINDOW;
        commitAll(jobId, all(3, DIGEST));
        reveal(jobId, 0, DIGEST);
        vm.warp(deadline - 1);
        fails(jobId);

        vm.warp(deadline + APPEAL_WINDOW - 1);
        appeal(jobId);
    }

    function test_appeal_countsFromTheCommitDeadlineIfAllAreSilent() public {
        bytes32 jobId = requestAndDraw(3);
        uint40 deadline = oracle.stateOf(jobId, 1).clock;
        vm.warp(deadline - 1);
        fails(jobId);

        vm.warp(deadline + APPEAL_WINDOW);
        fails(jobId);
        vm.warp(deadline + APPEAL_WINDOW - 1);
        appeal(jobId);
    }

    function test_appeal_mayFollowARoundThatNobodyDrew() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appeal(jobId);
        pass(59);
        fails(jobId);
        pass(1);
        assertPhase(jobId, IGenerationOracle.Phase.Appeal);

        appealTo(jobId, DIGEST);

        assertEq(roundOf(jobId).members.length, 15);
    }

    function test_appeal_failsAfterTheFourthRound() public {
        bytes32 jobId = judged(all(3, DIGEST));
        for (uint256 i; i < 3; ++i) {
            appealTo(jobId, DIGEST);
        }
        assertPhase(jobId, IGenerationOracle.Phase.Settle);
        fails(jobId);
    }

    function test_appeal_failsOnceSettled() public {
        bytes32 jobId = judged(all(3, DIGEST));
        conclude(jobId);
        fails(jobId);
    }

    function test_appeal_failsForAJobThatWasNeverPaid() public {
        bytes32 jobId = judged(all(3, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        job.nonce += 1;

        expectWrongPhase(IGenerationOracle.Phase.Appeal);
        oracle.appeal(job);
    }

    function test_appeal_doesNotReopenTheChallengedRound() public {
        bytes32 jobId = requestAndDraw(3);
        commit(jobId, 0, DIGEST);
        closeAppealsAlmost(jobId);
        keep(jobId);
        appeal(jobId);

        IGenerationOracle.Round memory round = drawn(jobId, 1);
        expectWrongPhase(IGenerationOracle.Phase.Reveal);
        oracle.reveal(jobId, 1, 0, round.members[0].slot(), openingOf(jobId, 0, DIGEST));
    }

    /// @dev Up to the phase in which an appeal can be made.
    function closeAppealsAlmost(bytes32 jobId) internal {
        while (phaseOf(jobId) != IGenerationOracle.Phase.Appeal) {
            closePhase(jobId);
        }
    }

    function fails(bytes32 jobId) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.deal(appellant, 10 ether);
        expectWrongPhase(IGenerationOracle.Phase.Appeal);
        vm.prank(appellant);
        oracle.appeal{value: 10 ether}(job);
    }
}
