// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract OfferForImageTest is Protocol {
    function test_offerForImage_givesWhatTheModelFixes() public view {
        IModelRegistry.Offer memory offer = models.offerForImage(modelId, image());

        assertEq(offer.bond, BOND);
        assertEq(offer.accept, emoji().accept);
        assertEq(offer.reject, emoji().reject);
        assertEq(offer.owner, modelOwner);
        assertEq(offer.royalty, 0);
        assertEq(offer.mostShare, SHARE);
        // 20 x 64 x 64 units of work at 1,000 wei and 10 microseconds each.
        assertEq(offer.leastShare, 81_920_000 + 330_000 * uint256(BASE_FEE));
        assertEq(offer.patience, 4);
    }

    function testFuzz_offerForImage_followsTheWorkAndTheBaseFee(uint64 price, uint32 time, uint32 steps, uint32 side)
        public
    {
        IModelRegistry.Model memory model = emoji();
        (model.manifestHash, model.price, model.time) = ("another", price, time);
        vm.prank(modelOwner);
        bytes32 id = models.register(model, "another");
        IModelRegistry.ImageRequest memory request_ = image();
        request_.steps = uint32(bound(steps, 1, 100));
        request_.width = uint32(64 + 8 * bound(side, 0, 8));
        vm.fee(price % 1000 gwei);

        IModelRegistry.Offer memory offer = models.offerForImage(id, request_);

        uint256 work = uint256(request_.steps) * request_.width * 64;
        assertEq(offer.leastShare, (work * price + 999_999) / 1e6 + 330_000 * block.basefee);
        uint256 patience = (4 * work * time + 999_999_999) / 1e9;
        assertEq(offer.patience, patience < type(uint32).max ? patience : type(uint32).max);
    }

    /// @dev Rounding never makes the bond smaller than 20 of the largest shares.
    function testFuzz_offerForImage_keepsTwentySharesInABondAndEightBondsInASeat(uint96 seatStake) public {
        IModelRegistry.Model memory model = emoji();
        (model.manifestHash, model.seatStake) = ("another", uint96(bound(seatStake, 160, type(uint96).max)));
        vm.prank(modelOwner);
        bytes32 id = models.register(model, "another");

        IModelRegistry.Offer memory offer = models.offerForImage(id, image());

        assertGt(offer.mostShare, 0);
        assertGe(offer.bond, 20 * uint256(offer.mostShare));
        assertLe(8 * uint256(offer.bond), model.seatStake);
    }

    function test_offerForImage_takesTheLargestRequest() public view {
        IModelRegistry.ImageRequest memory largest = IModelRegistry.ImageRequest({
            promptBytes: 4096, negativePromptBytes: 4096, width: 128, height: 128, steps: 100, guidance: 20_000
        });
        models.offerForImage(modelId, largest);
    }

    function testFuzz_offerForImage_takesSidesOnTheGridOnly(uint32 width, uint32 height) public {
        IModelRegistry.ImageRequest memory request_ = image();
        (width, height) = (uint32(bound(width, 0, 200)), uint32(bound(height, 0, 200)));
        (request_.width, request_.height) = (width, height);

        if (!fits(width) || !fits(height)) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.SizeOutOfBounds.selector, width, height, 64, 128, 8));
        }
        models.offerForImage(modelId, request_);
    }

    function testFuzz_offerForImage_takesOneToMaxSteps(uint32 steps) public {
        IModelRegistry.ImageRequest memory request_ = image();
        request_.steps = uint32(bound(steps, 0, 200));

        if (request_.steps == 0 || request_.steps > 100) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.StepsOutOfBounds.selector, request_.steps, 100));
        }
        models.offerForImage(modelId, request_);
    }

    function testFuzz_offerForImage_takesGuidanceThatWasTried(uint32 guidance) public {
        IModelRegistry.ImageRequest memory request_ = image();
        request_.guidance = uint32(bound(guidance, 0, 40_000));

        if (request_.guidance > 20_000) {
            vm.expectRevert(
                abi.encodeWithSelector(IModelRegistry.GuidanceOutOfBounds.selector, request_.guidance, 20_000)
            );
        }
        models.offerForImage(modelId, request_);
    }

    function test_offerForImage_failsIfAPromptIsTooLong() public {
        IModelRegistry.ImageRequest memory request_ = image();
        request_.promptBytes = 4097;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 4097, 4096));
        models.offerForImage(modelId, request_);

        (request_.promptBytes, request_.negativePromptBytes) = (0, 5000);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 5000, 4096));
        models.offerForImage(modelId, request_);
    }

    function test_offerForImage_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.offerForImage("none", image());
    }

    function image() internal pure returns (IModelRegistry.ImageRequest memory) {
        return IModelRegistry.ImageRequest({
            promptBytes: 11, negativePromptBytes: 0, width: 64, height: 64, steps: 20, guidance: 7500
        });
    }

    function fits(uint32 side) internal pure returns (bool) {
        return side >= 64 && side <= 128 && side % 8 == 0;
    }
}
