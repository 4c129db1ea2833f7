// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "./interfaces/IModelRegistry.sol";

/// @dev Documented in IModelRegistry.
contract ModelRegistry is IModelRegistry {
    uint256 private constant LANES = 4;
    uint256 private constant MOST_NAME_BYTES = 64;
    uint256 private constant MOST_PROMPT_BYTES = 4096;
    uint32 private constant MOST_SIDE = 4096;
    uint32 private constant MOST_STEPS = 1000;
    uint8 private constant MOST_ACCEPT = 10;
    uint8 private constant MOST_REJECT = 24;
    uint96 private constant LEAST_SEAT_STAKE = 160;

    mapping(bytes32 modelId => Model) private _models;
    bytes32[] private _ids;

    /// @inheritdoc IModelRegistry
    function register(Model calldata model, string calldata name) external returns (bytes32 modelId) {
        require(msg.sender == model.owner, NotModelOwner(model.owner, msg.sender));
        require(model.manifestHash != 0, EmptyManifest());
        require(model.seatStake >= LEAST_SEAT_STAKE, SeatStakeTooSmall(model.seatStake));
        require(bytes(name).length <= MOST_NAME_BYTES, NameTooLong(bytes(name).length, MOST_NAME_BYTES));
        _checkProfile(model.profile);
        _checkBounds(model.bounds);
        modelId = keccak256(abi.encode(model));
        require(!isRegistered(modelId), AlreadyRegistered(modelId));

        _models[modelId] = model;
        _ids.push(modelId);

        emit ModelRegistered(modelId, model.owner, model.manifestHash, name);
    }

    /// @inheritdoc IModelRegistry
    function modelOf(bytes32 modelId) external view returns (Model memory) {
        return _known(modelId);
    }

    /// @inheritdoc IModelRegistry
    function seatStakeOf(bytes32 modelId) external view returns (uint96) {
        return _known(modelId).seatStake;
    }

    /// @inheritdoc IModelRegistry
    function profileOf(bytes32 modelId) external view returns (ToleranceProfile memory) {
        return _known(modelId).profile;
    }

    /// @inheritdoc IModelRegistry
    function checkImage(bytes32 modelId, ImageRequest calldata request) external view {
        ImageBounds memory bounds = _known(modelId).bounds;

        _checkPrompt(request.promptBytes);
        _checkPrompt(request.negativePromptBytes);
        bool fits = _isSide(request.width, bounds) && _isSide(request.height, bounds);
        require(fits, SizeOutOfBounds(request.width, request.height, bounds));
        bool counted = request.steps > 0 && request.steps <= bounds.maxSteps;
        require(counted, StepsOutOfBounds(request.steps, bounds.maxSteps));
        require(request.guidance <= bounds.maxGuidance, GuidanceOutOfBounds(request.guidance, bounds.maxGuidance));
    }

    /// @inheritdoc IModelRegistry
    function isRegistered(bytes32 modelId) public view returns (bool) {
        return _models[modelId].owner != address(0);
    }

    /// @inheritdoc IModelRegistry
    function modelCount() external view returns (uint256) {
        return _ids.length;
    }

    /// @inheritdoc IModelRegistry
    function modelIds(uint256 start, uint256 limit) external view returns (bytes32[] memory ids) {
        uint256 rest = start < _ids.length ? _ids.length - start : 0;
        ids = new bytes32[](limit < rest ? limit : rest);
        for (uint256 i; i < ids.length; ++i) {
            ids[i] = _ids[start + i];
        }
    }

    function _known(bytes32 modelId) private view returns (Model storage) {
        require(isRegistered(modelId), UnknownModel(modelId));
        return _models[modelId];
    }

    function _checkProfile(ToleranceProfile calldata profile) private pure {
        for (uint256 lane; lane < LANES; ++lane) {
            (uint8 accept, uint8 reject) = (profile.accept[lane], profile.reject[lane]);
            bool sound = accept <= MOST_ACCEPT && reject >= 2 * accept && reject <= MOST_REJECT;
            require(sound, BadProfile(lane, accept, reject));
        }
    }

    function _checkBounds(ImageBounds calldata bounds) private pure {
        bool sides = bounds.minSide > 0 && bounds.minSide <= bounds.maxSide && bounds.maxSide <= MOST_SIDE;
        bool grid =
            bounds.sideStep > 0 && bounds.minSide % bounds.sideStep == 0 && bounds.maxSide % bounds.sideStep == 0;
        bool steps = bounds.maxSteps > 0 && bounds.maxSteps <= MOST_STEPS;
        require(sides && grid && steps, BadBounds(bounds));
    }

    function _checkPrompt(uint256 length) private pure {
        require(length <= MOST_PROMPT_BYTES, PromptTooLong(length, MOST_PROMPT_BYTES));
    }

    function _isSide(uint32 side, ImageBounds memory bounds) private pure returns (bool) {
        return side >= bounds.minSide && side <= bounds.maxSide && side % bounds.sideStep == 0;
    }
}
