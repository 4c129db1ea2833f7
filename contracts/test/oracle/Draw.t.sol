// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IRandomness} from "../../src/interfaces/IRandomness.sol";
import {Members} from "../../src/libraries/Members.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Protocol} from "../Protocol.t.sol";

contract DrawTest is Protocol {
    using Members for IGenerationOracle.Member;

    function test_draw_seatsACommitteeAndSetsTheDeadline() public {
        bytes32 jobId = requestAndDraw(3);

        IGenerationOracle.Round memory round = roundOf(jobId);
        assertEq(round.number, 1);
        assertEq(round.members.length, 3);
        IGenerationOracle.RoundState memory state = oracle.stateOf(jobId, 1);
        assertEq(uint8(state.stage), uint8(IGenerationOracle.Stage.Drawn));
        assertEq(state.clock, vm.getBlockTimestamp() + COMMIT_WINDOW);
        assertEq(state.done, type(uint32).max - 7);
        assertPhase(jobId, IGenerationOracle.Phase.Commit);
    }

    function test_draw_hashesTheRandomnessWithJobAndRound() public {
        bytes32 jobId = request(3);
        bytes32 randao = keccak256(abi.encode("randao", jobId, vm.getBlockNumber() + 2));
        draw(jobId);
        assertEq(roundOf(jobId).drawSeed, keccak256(abi.encode(randao, jobId, uint256(1))));
    }

    function test_draw_announcesTheRoundThatTheLensForetells() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory foretold = lens.drawOf(job, header);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Drawn(jobId, foretold, uint40(vm.getBlockTimestamp() + COMMIT_WINDOW));
        vm.prank(stranger);
        oracle.draw(job, header);
    }

    function test_draw_givesTheMembersTheirOperatorsAndPlaces() public {
        bytes32 first = requestAndDraw(5);
        bytes32 second = requestAndDraw(5);

        for (uint256 i; i < 5; ++i) {
            assertMember(roundOf(first).members[i], 1, 0);
            assertMember(roundOf(second).members[i], 1, 1);
        }
        for (uint32 seat; seat < 5; ++seat) {
            assertEq(stakes.seatOf(modelId, seat).places, 3);
        }
    }

    function test_draw_numbersThePools() public {
        IModelRegistry.Model memory model = emoji();
        model.manifestHash = "another";
        vm.prank(modelOwner);
        modelId = models.register(model, "another");
        enrol(3);
        pass(2 * SEAT_AGE);

        bytes32 jobId = requestAndDraw(3);

        assertMember(roundOf(jobId).members[0], 2, 0);
    }

    // ---------------------------------------------------------------------------------------------------------- the proof

    function test_draw_readsAHeaderThatAnvilMade() public {
        bytes32 jobId = request(3);
        seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.setBlockhash(lens.roundOf(job).randomnessId, HeaderFixtures.ANVIL_HASH);

        vm.recordLogs();
        oracle.draw(job, HeaderFixtures.ANVIL);
        remember();

        assertEq(roundOf(jobId).drawSeed, keccak256(abi.encode(HeaderFixtures.ANVIL_RANDAO, jobId, uint256(1))));
    }

    function test_draw_failsWithAnotherBlocksHeader() public {
        bytes32 jobId = request(3);
        seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint64 id = lens.roundOf(job).randomnessId;
        bytes memory header = HeaderFixtures.encode(id + 1, "randao");
        pass(1);
        vm.setBlockhash(id + 1, keccak256(header));

        expectWrongProof(id);
        oracle.draw(job, header);
    }

    function test_draw_failsWithAForgedRandao() public {
        bytes32 jobId = request(3);
        seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint64 id = lens.roundOf(job).randomnessId;

        expectWrongProof(id);
        oracle.draw(job, HeaderFixtures.encode(id, "chosen"));
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
        IGenerationOracle.Job memory job = jobOf(jobId);

        expectWrongProof(lens.roundOf(job).randomnessId);
        oracle.draw(job, other);
    }

    function test_draw_failsWhileTheSeedBlockIsNotMined() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint64 id = lens.roundOf(job).randomnessId;
        bytes memory header = HeaderFixtures.encode(id, "randao");
        vm.roll(id);

        expectWrongProof(id);
        oracle.draw(job, header);
    }

    // ---------------------------------------------------------------------------------------------------------- the times

    function test_draw_worksInTheLastSecondOfItsWindow() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.warp(job.requestedAt + 59);

        oracle.draw(job, header);

        assertPhase(jobId, IGenerationOracle.Phase.Commit);
    }

    function test_draw_failsAfterItsWindow() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.warp(job.requestedAt + 60);

        expectWrongPhase(IGenerationOracle.Phase.Draw);
        oracle.draw(job, header);
    }

    function test_draw_happensOnce() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        oracle.draw(job, header);

        expectWrongPhase(IGenerationOracle.Phase.Draw);
        oracle.draw(job, header);
    }

    function test_draw_failsForAJobThatWasNeverPaid() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        job.poolSlots -= 1;

        expectWrongPhase(IGenerationOracle.Phase.Draw);
        oracle.draw(job, header);
    }

    // ----------------------------------------------------------------------------------------------------------- the pool

    function testFuzz_draw_isTheSameWhoeverSendsItWhenever(address sender, uint256 later) public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        bytes memory foretold = abi.encode(lens.drawOf(job, header));
        pass(bound(later, 0, 56));

        vm.recordLogs();
        vm.prank(sender);
        oracle.draw(job, header);
        remember();

        assertEq(abi.encode(roundOf(jobId)), foretold);
    }

    function test_draw_excusesASeatWhoseStakeIsFullyBound() public {
        bytes32 eighth;
        for (uint256 i; i < 8; ++i) {
            eighth = requestAndDraw(5);
        }
        bytes32 ninth = requestAndDraw(5);

        for (uint256 i; i < 5; ++i) {
            assertMember(roundOf(eighth).members[i], 1, 7);
            assertTrue(roundOf(ninth).members[i].isExcused());
        }
        for (uint32 seat; seat < 5; ++seat) {
            assertEq(stakes.seatOf(modelId, seat).places, 255);
        }
        assertPhase(ninth, IGenerationOracle.Phase.Appeal);
    }

    function test_draw_excusesASeatThatLostMoreThanItsStakeCovers() public {
        bytes32 jobId = requestAndDraw(5);
        decline(jobId, 0);
        uint32 poorer = roundOf(jobId).members[0].seat();
        closeAppeals(jobId);
        settle(jobId);
        assertEq(stakes.seatOf(modelId, poorer).bonds, 7);

        // The others were silent and left; the request counts seats that are in the pool.
        enrol(4);
        pass(2 * SEAT_AGE);
        for (uint256 i; i < 7; ++i) {
            requestAndDraw(5);
        }
        bytes32 eighth = requestAndDraw(5);
        for (uint256 i; i < 5; ++i) {
            IGenerationOracle.Member member = roundOf(eighth).members[i];
            assertEq(member.isExcused(), member.seat() == poorer);
        }
    }

    /// @dev The pool of the request has enough seats, and the draw finds none of them among the slots it looks at.
    function test_draw_ofNobodyEndsTheRoundAtOnce() public {
        enrol(60);
        pass(2 * SEAT_AGE);
        for (uint32 seat = 3; seat < 65; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
        pass(1);
        bytes32 jobId = request(3);
        seed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        uint64 id = lens.roundOf(job).randomnessId;
        bytes memory header = unlucky(jobId, job, id);
        vm.setBlockhash(id, keccak256(header));

        vm.recordLogs();
        oracle.draw(job, header);
        remember();

        assertEq(roundOf(jobId).members.length, 0);
        assertPhase(jobId, IGenerationOracle.Phase.Appeal);
        pass(APPEAL_WINDOW);
        settle(jobId);
        assertEq(oracle.balanceOf(address(this)), (105_000 + 150_000) * 2 * uint256(BASE_FEE));
        assertEq(oracle.balanceOf(requester), 3 * uint256(SHARE));
    }

    /// @return a header whose RANDAO draws nobody
    function unlucky(bytes32 jobId, IGenerationOracle.Job memory job, uint64 id) internal view returns (bytes memory) {
        for (uint256 i;; ++i) {
            bytes32 drawSeed = keccak256(abi.encode(bytes32(i), jobId, uint256(1)));
            bytes32[] memory drawn = stakes.committee(modelId, drawSeed, job.poolSlots, job.requestedAt, 3);
            if (drawn.length == 0) return HeaderFixtures.encode(id, bytes32(i));
        }
    }

    function assertMember(IGenerationOracle.Member member, uint32 pool, uint8 place) internal pure {
        assertEq(member.operator(), operatorOf(member.seat()));
        assertEq(member.place(), place);
        assertEq(member.slot() >> 64, pool);
    }

    function expectWrongProof(uint64 id) internal {
        vm.expectRevert(abi.encodeWithSelector(IRandomness.WrongProof.selector, id));
    }
}
