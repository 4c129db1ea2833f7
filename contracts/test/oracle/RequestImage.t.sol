// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract RequestImageTest is Protocol {
    function test_requestImage_escrowsTheFeeAndFixesTheTerms() public {
        bytes32 jobId = request(3);

        IGenerationOracle.JobView memory job = oracle.job(jobId);
        assertEq(address(oracle).balance, 3 * uint256(SHARE));
        assertEq(job.requester, requester);
        assertEq(job.modelId, modelId);
        assertEq(abi.encode(job.terms), abi.encode(terms(3)));
        assertEq(job.specHash, keccak256(abi.encode(IModelRegistry.Kind.Image, spec())));
        assertEq(job.specSeed, spec().seed);
        assertEq(job.requestBlock, vm.getBlockNumber());
        assertEq(job.requestTime, vm.getBlockTimestamp());
        assertEq(job.poolSlots, 5);
        assertEq(job.seedBlock, vm.getBlockNumber() + 2);
        assertEq(job.drawDeadline, vm.getBlockNumber() + 240);
        assertEq(job.bond, BOND);
        assertEq(job.drawSeed, 0);
        assertEq(job.commitDeadline, 0);
        assertEq(job.revealDeadline, 0);
        assertPhase(jobId, IGenerationOracle.Phase.Requested);
    }

    function test_requestImage_announcesTheWholeSpec() public {
        bytes32 jobId = jobIdOf(0);

        vm.expectEmit();
        emit IGenerationOracle.Requested(jobId, requester, modelId, spec(), terms(3));
        assertEq(request(3), jobId);
    }

    function test_requestImage_givesEveryRequestAnIdOfItsOwn() public {
        assertEq(request(3), jobIdOf(0));
        assertEq(request(3), jobIdOf(1));
        assertEq(oracle.nonceOf(requester), 2);
    }

    function testFuzz_requestImage_takesOddCommittees(uint8 size) public {
        enrol(26);
        if (size < 3 || size > 31 || size % 2 == 0) {
            vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongCommitteeSize.selector, size));
        }
        request(size);
    }

    function test_requestImage_failsIfThePoolIsTooSmall() public {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.PoolTooSmall.selector, modelId, 5, 7));
        request(7);
    }

    function test_requestImage_doesNotCountSeatsThatLeft() public {
        for (uint32 seat; seat < 3; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.PoolTooSmall.selector, modelId, 2, 3));
        request(3);
    }

    function test_requestImage_failsIfTheBondWouldNotBeTwentyShares() public {
        IGenerationOracle.Terms memory greedy = terms(3);
        greedy.share = SHARE + 1;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.ShareOutOfRange.selector, SHARE + 1, SHARE));
        request(greedy);
    }

    function test_requestImage_failsForNothing() public {
        IGenerationOracle.Terms memory free = terms(3);
        free.share = 0;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.ShareOutOfRange.selector, 0, SHARE));
        request(free);
    }

    function testFuzz_requestImage_failsUnlessPaidExactly(uint256 sent) public {
        uint256 fee = 3 * uint256(SHARE);
        sent = bound(sent, 0, 2 * fee);
        vm.assume(sent != fee);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongPayment.selector, sent, fee));
        vm.prank(requester);
        oracle.requestImage{value: sent}(modelId, spec(), terms(3));
    }

    function test_requestImage_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        vm.prank(requester);
        oracle.requestImage{value: 3 * uint256(SHARE)}("none", spec(), terms(3));
    }

    function test_requestImage_failsOutsideTheModelsBounds() public {
        IGenerationOracle.ImageSpec memory wide = spec();
        wide.width = 136;

        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.SizeOutOfBounds.selector, wide.width, wide.height, emoji().bounds)
        );
        vm.prank(requester);
        oracle.requestImage{value: 3 * uint256(SHARE)}(modelId, wide, terms(3));
    }

    function test_requestImage_failsIfAPromptIsTooLong() public {
        IGenerationOracle.ImageSpec memory long = spec();
        long.negativePrompt = new bytes(4097);

        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 4097, 4096));
        vm.prank(requester);
        oracle.requestImage{value: 3 * uint256(SHARE)}(modelId, long, terms(3));
    }

    function test_requestImage_takesAnyBytesAsAPrompt() public {
        IGenerationOracle.ImageSpec memory odd = spec();
        odd.prompt = hex"ff00c0af";

        vm.prank(requester);
        oracle.requestImage{value: 3 * uint256(SHARE)}(modelId, odd, terms(3));
    }

    function jobIdOf(uint256 nonce) internal view returns (bytes32) {
        bytes32 specHash = keccak256(abi.encode(IModelRegistry.Kind.Image, spec()));
        return keccak256(abi.encode(block.chainid, address(oracle), requester, nonce, modelId, specHash, terms(3)));
    }
}
