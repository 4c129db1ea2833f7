// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Texts} from "./Texts.t.sol";

contract RequestTextTest is Texts {
    using Members for IGenerationOracle.Member;

    function test_requestText_fixesTheJob() public {
        bytes32 jobId = requestText();
        IGenerationOracle.Job memory job = jobOf(jobId);

        assertEq(jobId, oracle.idOf(job));
        assertEq(job.requester, requester);
        assertEq(job.specHash, keccak256(abi.encode(IModelRegistry.Kind.Text, text())));
        assertEq(job.specSeed, 0);
        assertEq(job.accept, bytes4(0));
        assertEq(job.reject, bytes4(0x40404040));
        assertPhase(jobId, IGenerationOracle.Phase.Requested);
    }

    function test_requestText_announcesTheText() public {
        uint256 fee = lens.quoteText(modelId, text(), terms(3)).fee;
        vm.recordLogs();
        vm.prank(requester);
        bytes32 jobId = oracle.requestText{value: fee}(modelId, text(), terms(3));
        bytes memory data = vm.getRecordedLogs()[0].data;

        (IGenerationOracle.Job memory job, IGenerationOracle.TextSpec memory said) =
            abi.decode(data, (IGenerationOracle.Job, IGenerationOracle.TextSpec));
        assertEq(oracle.idOf(job), jobId);
        assertEq(abi.encode(said), abi.encode(text()));
    }

    /// @dev Prompt and stops count by their bytes, whichever message they are in.
    function test_requestText_isHeldAgainstTheModelsBounds() public {
        IGenerationOracle.TextSpec memory it = text();
        it.messages[1].content = new bytes(4096 - 9 - 2);
        lens.quoteText(modelId, it, terms(3));

        it.stops[0] = "...";
        refused(it, abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 4097, 4096));
        it = text();
        it.messages = new IGenerationOracle.Message[](65);
        refused(it, abi.encodeWithSelector(IModelRegistry.MessagesOutOfBounds.selector, 65, 64));
        it = text();
        it.maxTokens = 257;
        refused(it, abi.encodeWithSelector(IModelRegistry.TokensOutOfBounds.selector, 257, 256));
        it = text();
        it.beams = 0;
        refused(it, abi.encodeWithSelector(IModelRegistry.BeamsOutOfBounds.selector, 0, 8));
    }

    function test_requestText_failsForAModelThatMakesPicturesAndTheOtherWayRound() public {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.WrongKind.selector, modelId, IModelRegistry.Kind.Text);
        vm.expectRevert(why);
        oracle.requestImage(modelId, spec(), terms(3));

        IModelRegistry.Model memory other = emoji();
        other.manifestHash = "other";
        vm.prank(modelOwner);
        modelId = models.register(other, "other");
        refused(text(), abi.encodeWithSelector(IModelRegistry.WrongKind.selector, modelId, IModelRegistry.Kind.Image));
    }

    // --------------------------------------------------------------------------------------------------------- the votes

    function test_requestText_paysThoseWhoWroteTheSameTokens() public {
        bytes32 jobId = requestText();
        draw(jobId);
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        closeAppeals(jobId);
        settle(jobId);

        for (uint256 member; member < 3; ++member) {
            assertEq(earnedBy(jobId, member), SHARE);
        }
    }

    /// @dev Machines part where two tokens nearly tie: that costs the share and never the bond.
    function testFuzz_requestText_slashesNobodyForAnotherText(bytes32 other) public {
        other &= BITS;
        vm.assume(other != DIGEST);
        bytes32 jobId = requestText();
        draw(jobId);
        vote(jobId, three(DIGEST, DIGEST, other));
        closeAppeals(jobId);
        settle(jobId);

        assertEq(earnedBy(jobId, 0), SHARE);
        assertEq(earnedBy(jobId, 2), 0);
        assertEq(stakeOf(roundOf(jobId).members[2].seat()), SEAT_STAKE);
    }

    function earnedBy(bytes32 jobId, uint256 member) internal view returns (uint256) {
        return stakes.seatOf(modelId, roundOf(jobId).members[member].seat()).earned;
    }

    function refused(IGenerationOracle.TextSpec memory it, bytes memory why) internal {
        vm.expectRevert(why);
        vm.prank(requester);
        oracle.requestText{value: 1 ether}(modelId, it, terms(3));
    }
}
