// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Protocol} from "../Protocol.t.sol";

contract DrawTest is Protocol {
    function test_draw_seatsACommitteeAndSetsTheDeadlines() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        bytes32 drawSeed = keccak256(abi.encode(keccak256(abi.encode("randao", jobId)), jobId, uint256(1)));

        vm.prank(stranger);
        oracle.draw(jobId, header);

        IGenerationOracle.JobView memory job = oracle.job(jobId);
        assertEq(job.drawSeed, drawSeed);
        assertEq(job.commitDeadline, vm.getBlockTimestamp() + 120);
        assertEq(job.revealDeadline, vm.getBlockTimestamp() + 180);
        assertPhase(jobId, IGenerationOracle.Phase.Commit);
        IGenerationOracle.Vote[] memory votes = oracle.votes(jobId);
        assertEq(votes.length, 3);
        for (uint256 member; member < 3; ++member) {
            assertEq(votes[member].operator, operatorOf(votes[member].seat));
            assertEq(stakes.seatOf(modelId, votes[member].seat).bonded, BOND);
        }
    }

    function test_draw_mixesTheSpecsSeedIntoTheNoise() public {
        bytes32 jobId = request(3);
        assertEq(oracle.noiseSeed(jobId), 0);

        oracle.draw(jobId, seed(jobId));

        bytes32 drawSeed = oracle.job(jobId).drawSeed;
        assertEq(oracle.noiseSeed(jobId), keccak256(abi.encode(spec().seed, drawSeed)));
    }

    function test_draw_leavesAFixedSeedAlone() public {
        IGenerationOracle.Terms memory fixed_ = terms(3);
        fixed_.fixedSeed = true;
        bytes32 jobId = request(fixed_);

        oracle.draw(jobId, seed(jobId));

        assertEq(oracle.noiseSeed(jobId), spec().seed);
    }

    // ------------------------------------------------------------------------------------------------------- the header

    function test_draw_readsAHeaderThatAnvilMade() public {
        bytes32 jobId = request(3);
        seed(jobId);
        vm.setBlockhash(oracle.job(jobId).seedBlock, HeaderFixtures.ANVIL_HASH);

        oracle.draw(jobId, HeaderFixtures.ANVIL);

        assertEq(oracle.job(jobId).drawSeed, keccak256(abi.encode(HeaderFixtures.ANVIL_RANDAO, jobId, uint256(1))));
    }

    function testFuzz_draw_readsHeadersWithLaterFields(uint8 more) public {
        uint256 count = bound(more, 15, 40);
        bytes32 jobId = request(3);
        seed(jobId);
        uint256 seedBlock = oracle.job(jobId).seedBlock;
        bytes memory header = RLP.encode(HeaderFixtures.fields(seedBlock, "randao", count));
        vm.setBlockhash(seedBlock, keccak256(header));

        oracle.draw(jobId, header);

        assertEq(oracle.job(jobId).drawSeed, keccak256(abi.encode(bytes32("randao"), jobId, uint256(1))));
    }

    function testFuzz_draw_readsRandaoWithLeadingZeros(uint8 zeros) public {
        bytes32 randao = keccak256("randao") >> bound(zeros, 0, 255);
        bytes32 jobId = request(3);
        seed(jobId);
        uint256 seedBlock = oracle.job(jobId).seedBlock;
        bytes memory header = HeaderFixtures.encode(seedBlock, randao);
        vm.setBlockhash(seedBlock, keccak256(header));

        oracle.draw(jobId, header);

        assertEq(oracle.job(jobId).drawSeed, keccak256(abi.encode(randao, jobId, uint256(1))));
    }

    function test_draw_failsWithAnotherBlocksHeader() public {
        bytes32 jobId = request(3);
        seed(jobId);
        uint256 next = oracle.job(jobId).seedBlock + 1;
        bytes memory header = HeaderFixtures.encode(next, "randao");
        pass(1);
        vm.setBlockhash(next, keccak256(header));

        expectWrongHeader(jobId);
        oracle.draw(jobId, header);
    }

    function test_draw_failsWithAForgedRandao() public {
        bytes32 jobId = request(3);
        seed(jobId);
        bytes memory header = HeaderFixtures.encode(oracle.job(jobId).seedBlock, "chosen");

        expectWrongHeader(jobId);
        oracle.draw(jobId, header);
    }

    function testFuzz_draw_failsWithATruncatedOrPaddedHeader(uint256 length) public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        length = bound(length, 0, header.length + 64);
        vm.assume(length != header.length);
        bytes memory other = new bytes(length);
        for (uint256 i; i < length && i < header.length; ++i) {
            other[i] = header[i];
        }

        expectWrongHeader(jobId);
        oracle.draw(jobId, other);
    }

    function expectWrongHeader(bytes32 jobId) internal {
        uint256 seedBlock = oracle.job(jobId).seedBlock;
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongHeader.selector, seedBlock));
    }

    // ---------------------------------------------------------------------------------------------------------- the times

    function test_draw_failsWhileTheSeedBlockIsNotMined() public {
        bytes32 jobId = request(3);
        vm.roll(oracle.job(jobId).seedBlock);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Draw, IGenerationOracle.Phase.Requested);
        oracle.draw(jobId, "");
    }

    function test_draw_worksInTheLastBlockOfItsWindow() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        vm.roll(oracle.job(jobId).drawDeadline);

        oracle.draw(jobId, header);

        assertPhase(jobId, IGenerationOracle.Phase.Commit);
    }

    function test_draw_failsAfterItsWindow() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        vm.roll(oracle.job(jobId).drawDeadline + 1);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Draw, IGenerationOracle.Phase.Expired);
        oracle.draw(jobId, header);
    }

    function test_draw_happensOnce() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        oracle.draw(jobId, header);

        expectWrongPhase(jobId, IGenerationOracle.Phase.Draw, IGenerationOracle.Phase.Commit);
        oracle.draw(jobId, header);
    }

    function test_draw_failsForAnUnknownJob() public {
        expectWrongPhase("none", IGenerationOracle.Phase.Draw, IGenerationOracle.Phase.None);
        oracle.draw("none", "");
    }

    // ---------------------------------------------------------------------------------------------------------- the pool

    function testFuzz_draw_isTheSameWhoeverSendsItWhenever(address sender, uint256 later) public {
        vm.assume(sender != address(0));
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        uint256 before = vm.snapshotState();
        oracle.draw(jobId, header);
        bytes memory expected = abi.encode(oracle.votes(jobId));
        vm.revertToState(before);

        pass(bound(later, 0, 237));
        vm.prank(sender);
        oracle.draw(jobId, header);

        assertEq(abi.encode(oracle.votes(jobId)), expected);
    }

    function test_draw_excusesASeatWhoseStakeIsFullyBound() public {
        bytes32[] memory jobs = new bytes32[](9);
        for (uint256 i; i < 9; ++i) {
            jobs[i] = requestAndDraw(5);
        }

        for (uint256 member; member < 5; ++member) {
            IGenerationOracle.Vote memory busy = oracle.votes(jobs[7])[member];
            assertEq(uint8(busy.step), uint8(IGenerationOracle.Step.Drawn));
            IGenerationOracle.Vote memory excused = oracle.votes(jobs[8])[member];
            assertEq(uint8(excused.step), uint8(IGenerationOracle.Step.Excused));
            assertEq(excused.operator, address(0));
            assertEq(stakes.seatOf(modelId, excused.seat).bonded, SEAT_STAKE);
        }
        assertPhase(jobs[8], IGenerationOracle.Phase.Settle);
    }

    function test_draw_takesFewerSeatsThanAskedForIfNoMoreAreOldEnough() public {
        for (uint32 seat; seat < 3; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        pass(1);
        enrol(1);

        bytes32 jobId = requestAndDraw(3);

        assertEq(oracle.votes(jobId).length, 2);
        assertPhase(jobId, IGenerationOracle.Phase.Commit);
    }

    function test_draw_leavesAnEmptyCommitteeToBeSettledAtOnce() public {
        for (uint32 seat; seat < 5; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        pass(1);
        enrol(3);

        bytes32 jobId = requestAndDraw(3);

        assertEq(oracle.votes(jobId).length, 0);
        assertPhase(jobId, IGenerationOracle.Phase.Settle);
        oracle.settle(jobId);
        assertOutcome(jobId, IGenerationOracle.Outcome.Unresolved);
        assertEq(oracle.creditOf(requester), 3 * uint256(SHARE));
    }
}
