// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @notice What a spec asks for: its hash, and its integers, which the model's bounds and price are held against.
library Specs {
    function hashOf(IGenerationOracle.ImageSpec calldata spec) internal pure returns (bytes32) {
        return keccak256(abi.encode(IModelRegistry.Kind.Image, spec));
    }

    function hashOf(IGenerationOracle.TextSpec calldata spec) internal pure returns (bytes32) {
        return keccak256(abi.encode(IModelRegistry.Kind.Text, spec));
    }

    function measured(IGenerationOracle.ImageSpec calldata spec)
        internal
        pure
        returns (IModelRegistry.ImageRequest memory)
    {
        return IModelRegistry.ImageRequest({
            promptBytes: spec.prompt.length,
            negativePromptBytes: spec.negativePrompt.length,
            width: spec.width,
            height: spec.height,
            steps: spec.steps,
            guidance: spec.guidance
        });
    }

    function measured(IGenerationOracle.TextSpec calldata spec)
        internal
        pure
        returns (IModelRegistry.TextRequest memory request)
    {
        (request.messages, request.maxTokens, request.beams) = (spec.messages.length, spec.maxTokens, spec.beams);
        for (uint256 i; i < spec.messages.length; ++i) {
            request.promptBytes += spec.messages[i].content.length;
        }
        for (uint256 i; i < spec.stops.length; ++i) {
            request.promptBytes += spec.stops[i].length;
        }
    }
}
