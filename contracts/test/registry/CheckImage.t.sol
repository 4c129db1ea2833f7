// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract CheckImageTest is Protocol {
    function test_checkImage_takesWhatIsWithinTheBounds() public view {
        models.checkImage(modelId, image());
        IModelRegistry.ImageRequest memory largest = IModelRegistry.ImageRequest({
            promptBytes: 4096, negativePromptBytes: 4096, width: 128, height: 128, steps: 100, guidance: 20_000
        });
        models.checkImage(modelId, largest);
    }

    function testFuzz_checkImage_takesSidesOnTheGridOnly(uint32 width, uint32 height) public {
        IModelRegistry.ImageRequest memory request_ = image();
        (request_.width, request_.height) = (uint32(bound(width, 0, 200)), uint32(bound(height, 0, 200)));

        if (!fits(request_.width) || !fits(request_.height)) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IModelRegistry.SizeOutOfBounds.selector, request_.width, request_.height, emoji().bounds
                )
            );
        }
        models.checkImage(modelId, request_);
    }

    function testFuzz_checkImage_takesOneToMaxSteps(uint32 steps) public {
        IModelRegistry.ImageRequest memory request_ = image();
        request_.steps = steps;

        if (steps == 0 || steps > 100) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.StepsOutOfBounds.selector, steps, 100));
        }
        models.checkImage(modelId, request_);
    }

    function testFuzz_checkImage_takesGuidanceThatWasTried(uint32 guidance) public {
        IModelRegistry.ImageRequest memory request_ = image();
        request_.guidance = guidance;

        if (guidance > 20_000) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.GuidanceOutOfBounds.selector, guidance, 20_000));
        }
        models.checkImage(modelId, request_);
    }

    function test_checkImage_failsIfAPromptIsTooLong() public {
        IModelRegistry.ImageRequest memory request_ = image();
        request_.promptBytes = 4097;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 4097, 4096));
        models.checkImage(modelId, request_);
    }

    function test_checkImage_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.checkImage("none", image());
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
