// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {Digests} from "./libraries/Digests.sol";

/// @dev Documented in IModelRegistry.
contract ModelRegistry is IModelRegistry {
    uint256 private constant LANES = 4;
    uint256 private constant MOST_NAME_BYTES = 64;
    uint256 private constant MOST_PROMPT_BYTES = 4096;
    uint16 private constant MOST_SIDE = 4096;
    uint16 private constant MOST_STEPS = 1000;
    uint32 private constant MOST_TOKENS = 32_768;
    uint8 private constant MOST_BEAMS = 16;
    uint256 private constant MOST_MESSAGES = 64;
    uint8 private constant MOST_ACCEPT = 10;
    uint8 private constant MOST_REJECT = 24;
    uint96 private constant LEAST_SEAT_STAKE = 160;
    uint16 private constant MOST_ROYALTY = 2000;
    uint96 private constant BONDS_PER_SEAT = 8;
    uint96 private constant SHARES_PER_SEAT = 160;
    uint256 private constant MILLION = 1e6;
    /// @dev Of a commitment and its opening, with some to spare.
    uint256 private constant VOTE_GAS = 110_000;

    mapping(bytes32 modelId => Model) private _models;
    bytes32[] private _ids;

    /// @inheritdoc IModelRegistry
    function register(Model calldata model, string calldata name) external returns (bytes32 modelId) {
        require(msg.sender == model.owner, NotModelOwner(model.owner, msg.sender));
        require(model.manifestHash != 0, EmptyManifest());
        require(model.seatStake >= LEAST_SEAT_STAKE, SeatStakeTooSmall(model.seatStake));
        require(bytes(name).length <= MOST_NAME_BYTES, NameTooLong(bytes(name).length, MOST_NAME_BYTES));
        require(model.royalty <= MOST_ROYALTY, RoyaltyTooLarge(model.royalty, MOST_ROYALTY));
        if (model.kind == Kind.Image) _checkImageModel(model);
        else _checkTextModel(model);
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
    function offerForImage(bytes32 modelId, ImageRequest calldata request) external view returns (Offer memory) {
        Model storage model = _known(modelId, Kind.Image);
        _checkPrompt(request.promptBytes);
        _checkPrompt(request.negativePromptBytes);
        (uint16 least, uint16 most, uint8 step) = (model.minSide, model.maxSide, model.sideStep);
        bool fits = _isSide(request.width, least, most, step) && _isSide(request.height, least, most, step);
        require(fits, SizeOutOfBounds(request.width, request.height, least, most, step));
        bool counted = request.steps > 0 && request.steps <= model.maxSteps;
        require(counted, StepsOutOfBounds(request.steps, model.maxSteps));
        require(request.guidance <= model.maxGuidance, GuidanceOutOfBounds(request.guidance, model.maxGuidance));

        return _offer(model, uint256(request.steps) * request.width * request.height);
    }

    /// @inheritdoc IModelRegistry
    function offerForText(bytes32 modelId, TextRequest calldata request) external view returns (Offer memory) {
        Model storage model = _known(modelId, Kind.Text);
        bool spoken = request.messages > 0 && request.messages <= MOST_MESSAGES;
        require(spoken, MessagesOutOfBounds(request.messages, MOST_MESSAGES));
        _checkPrompt(request.promptBytes);
        bool counted = request.maxTokens > 0 && request.maxTokens <= model.maxTokens;
        require(counted, TokensOutOfBounds(request.maxTokens, model.maxTokens));
        bool searched = request.beams > 0 && request.beams <= model.maxBeams;
        require(searched, BeamsOutOfBounds(request.beams, model.maxBeams));

        return _offer(model, request.promptBytes + uint256(request.maxTokens) * request.beams);
    }

    function _offer(Model storage model, uint256 work) private view returns (Offer memory offer) {
        uint256 least = Math.ceilDiv(work * model.price, MILLION) + 3 * VOTE_GAS * block.basefee;
        uint256 patience = Math.ceilDiv(4 * work * model.time, 1000 * MILLION);
        uint96 stake = model.seatStake;
        (offer.bond, offer.mostShare) = (stake / BONDS_PER_SEAT, stake / SHARES_PER_SEAT);
        (offer.accept, offer.reject) = (model.accept, model.reject);
        (offer.owner, offer.royalty) = (model.owner, model.royalty);
        offer.leastShare = uint96(Math.min(least, type(uint96).max));
        offer.patience = uint32(Math.min(patience, type(uint32).max));
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

    function _known(bytes32 modelId, Kind kind) private view returns (Model storage model) {
        model = _known(modelId);
        require(model.kind == kind, WrongKind(modelId, model.kind));
    }

    function _checkImageModel(Model calldata model) private pure {
        for (uint256 lane; lane < LANES; ++lane) {
            (uint8 accept, uint8 reject) = (uint8(model.accept[lane]), uint8(model.reject[lane]));
            bool sound = accept <= MOST_ACCEPT && reject >= 2 * accept && reject <= MOST_REJECT;
            require(sound, BadProfile(lane, accept, reject));
        }
        bool sides = model.minSide > 0 && model.minSide <= model.maxSide && model.maxSide <= MOST_SIDE;
        bool grid = model.sideStep > 0 && model.minSide % model.sideStep == 0 && model.maxSide % model.sideStep == 0;
        bool steps = model.maxSteps > 0 && model.maxSteps <= MOST_STEPS;
        bool noText = model.maxTokens == 0 && model.maxBeams == 0;
        require(sides && grid && steps && noText, BadBounds());
    }

    function _checkTextModel(Model calldata model) private pure {
        bool exact = model.accept == 0 && model.reject == Digests.NEVER;
        require(exact, BadProfile(0, uint8(model.accept[0]), uint8(model.reject[0])));
        bool tokens = model.maxTokens > 0 && model.maxTokens <= MOST_TOKENS;
        bool beams = model.maxBeams > 0 && model.maxBeams <= MOST_BEAMS;
        bool noSides = model.minSide == 0 && model.maxSide == 0 && model.sideStep == 0;
        bool noImage = noSides && model.maxSteps == 0 && model.maxGuidance == 0;
        require(tokens && beams && noImage, BadBounds());
    }

    function _checkPrompt(uint256 length) private pure {
        require(length <= MOST_PROMPT_BYTES, PromptTooLong(length, MOST_PROMPT_BYTES));
    }

    function _isSide(uint32 side, uint16 least, uint16 most, uint8 step) private pure returns (bool) {
        return side >= least && side <= most && side % step == 0;
    }
}
