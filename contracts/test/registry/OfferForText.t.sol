// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract OfferForTextTest is Protocol {
    bytes32 internal writerId;

    function setUp() public override {
        super.setUp();
        vm.prank(modelOwner);
        writerId = models.register(writer(), "writer");
    }

    function testFuzz_offerForText_countsThePromptOnceAndTheTokensOfEveryBeam(
        uint256 bytes_,
        uint32 tokens,
        uint8 beams
    ) public view {
        IModelRegistry.TextRequest memory request_ = asked();
        request_.promptBytes = bound(bytes_, 0, 4096);
        (request_.maxTokens, request_.beams) = (uint32(bound(tokens, 1, 256)), uint8(bound(beams, 1, 8)));

        IModelRegistry.Offer memory offer = models.offerForText(writerId, request_);

        uint256 work = request_.promptBytes + uint256(request_.maxTokens) * request_.beams;
        assertEq(offer.leastShare, work * 1000 + 330_000 * uint256(BASE_FEE));
        assertEq(offer.patience, (4 * work * 10_000 + 999_999_999) / 1e9);
        assertEq(offer.accept, bytes4(0));
        assertEq(offer.reject, bytes4(0x40404040));
    }

    function test_offerForText_failsOutsideTheModelsBounds() public {
        for (uint32 tokens; tokens <= 257; tokens += 257) {
            IModelRegistry.TextRequest memory request_ = asked();
            request_.maxTokens = tokens;
            fails(request_, abi.encodeWithSelector(IModelRegistry.TokensOutOfBounds.selector, tokens, 256));
        }
        for (uint8 beams; beams <= 9; beams += 9) {
            IModelRegistry.TextRequest memory request_ = asked();
            request_.beams = beams;
            fails(request_, abi.encodeWithSelector(IModelRegistry.BeamsOutOfBounds.selector, beams, 8));
        }
    }

    function test_offerForText_takesTheLongestRequestAndNoLongerOne() public {
        IModelRegistry.TextRequest memory request_ =
            IModelRegistry.TextRequest({messages: 64, promptBytes: 4096, maxTokens: 256, beams: 8});
        models.offerForText(writerId, request_);

        request_.messages = 65;
        fails(request_, abi.encodeWithSelector(IModelRegistry.MessagesOutOfBounds.selector, 65, 64));
        request_.messages = 0;
        fails(request_, abi.encodeWithSelector(IModelRegistry.MessagesOutOfBounds.selector, 0, 64));
        (request_.messages, request_.promptBytes) = (1, 4097);
        fails(request_, abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 4097, 4096));
    }

    function test_offers_failForAModelOfTheOtherKind() public {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.WrongKind.selector, modelId, IModelRegistry.Kind.Image);
        vm.expectRevert(why);
        models.offerForText(modelId, asked());

        IModelRegistry.ImageRequest memory picture;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongKind.selector, writerId, IModelRegistry.Kind.Text));
        models.offerForImage(writerId, picture);
    }

    function test_offerForText_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.offerForText("none", asked());
    }

    function fails(IModelRegistry.TextRequest memory request_, bytes memory why) internal {
        vm.expectRevert(why);
        models.offerForText(writerId, request_);
    }

    function asked() internal pure returns (IModelRegistry.TextRequest memory) {
        return IModelRegistry.TextRequest({messages: 1, promptBytes: 40, maxTokens: 64, beams: 1});
    }
}
