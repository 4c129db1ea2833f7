// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ModelRegistry: what can be asked for, and how answers are compared
/// @notice A model is known by the hash of everything the chain must know of it, so that no part of it can change and
/// nobody can register a manifest under terms of his own and be taken for its author.
interface IModelRegistry {
    /// @notice What a model makes.
    enum Kind {
        /// A picture, from a text.
        Image
    }

    /// @notice What the chain must know of a model. Packed: three words, of which a request reads two.
    struct Model {
        /// sha256 of the model's `quorate-model.json`: files with their hashes, architecture, arithmetic, pipeline.
        bytes32 manifestHash;
        /// Hash of the measurements behind the distances; zero if they are not measured yet.
        bytes32 evidence;
        /// Who registered it, and gets the royalty.
        address owner;
        /// The stake of one seat, in wei; a job binds an eighth of it.
        uint96 seatStake;
        Kind kind;
        /// How far digests of the same job may be apart, in bits: a byte for each 64-bit lane, most significant lane first.
        /// The registry takes a profile only if, on every lane, `accept <= 10` and `2 x accept <= reject <= 24`. By the
        /// triangle inequality no minority can then get an honest verifier slashed, as long as honest digests accept each
        /// other: a winner with a quorum has an honest supporter within accept, and that one is within accept of every
        /// honest digest.
        bytes4 accept;
        bytes4 reject;
        /// Wei for a million units of work. The work of an image is its steps times its pixels.
        uint64 price;
        /// Milliseconds that a million units of work take on the machines that the model is meant for.
        uint32 time;
        /// The owner's, on top of what supporters earn, in ten-thousandths: at most 2,000.
        uint16 royalty;
        /// The range in which the model was tried; requests outside are refused. Least width and height, in pixels.
        uint16 minSide;
        /// Largest width and height, in pixels.
        uint16 maxSide;
        /// Width and height are multiples of this many pixels.
        uint8 sideStep;
        uint16 maxSteps;
        /// In thousandths.
        uint16 maxGuidance;
    }

    /// @notice What a request for an image is offered, at the present base fee.
    struct Offer {
        /// What each drawn seat has at risk, in wei: an eighth of the seat stake.
        uint96 bond;
        bytes4 accept;
        bytes4 reject;
        address owner;
        uint16 royalty;
        /// The least a seat may earn, in wei: the price of the work, and three times the gas of a vote at the base fee.
        uint96 leastShare;
        /// The most: a 160th of the seat stake, so that the bond is at least 20 shares and a high fee excuses nobody.
        uint96 mostShare;
        /// Seconds that four generations take.
        uint32 patience;
    }

    /// @notice The integers of a request for an image.
    struct ImageRequest {
        uint256 promptBytes;
        uint256 negativePromptBytes;
        uint32 width;
        uint32 height;
        uint32 steps;
        uint32 guidance;
    }

    /// @param name the manifest's name for itself: a hint for people, unchecked and not unique
    event ModelRegistered(bytes32 indexed modelId, address indexed owner, bytes32 indexed manifestHash, string name);

    error UnknownModel(bytes32 modelId);
    error AlreadyRegistered(bytes32 modelId);
    error NotModelOwner(address owner, address caller);
    error EmptyManifest();
    error BadProfile(uint256 lane, uint8 accept, uint8 reject);
    /// @dev Bounds must satisfy `1 <= minSide <= maxSide <= 4096`, have both sides divisible by a `sideStep` of at least 1,
    /// and allow 1 to 1,000 steps.
    error BadBounds();
    error RoyaltyTooLarge(uint16 royalty, uint16 most);
    /// @dev A seat's stake must divide into eight bonds of 20 shares: at least 160 wei.
    error SeatStakeTooSmall(uint96 seatStake);
    error NameTooLong(uint256 bytes_, uint256 most);
    error PromptTooLong(uint256 bytes_, uint256 most);
    error SizeOutOfBounds(uint32 width, uint32 height, uint16 least, uint16 most, uint8 step);
    error StepsOutOfBounds(uint32 steps, uint32 most);
    error GuidanceOutOfBounds(uint32 guidance, uint32 most);

    /// @notice Registers a model; the caller must be its owner. The name has at most 64 bytes.
    /// @return modelId `keccak256(abi.encode(model))`
    function register(Model calldata model, string calldata name) external returns (bytes32 modelId);

    /// @notice The model of that id; reverts with `UnknownModel`.
    function modelOf(bytes32 modelId) external view returns (Model memory);

    /// @notice The stake of one of the model's seats, in wei; reverts with `UnknownModel`.
    function seatStakeOf(bytes32 modelId) external view returns (uint96);

    /// @notice The terms for this image; reverts with the reason if the model cannot be asked for it.
    function offerFor(bytes32 modelId, ImageRequest calldata request) external view returns (Offer memory);

    function isRegistered(bytes32 modelId) external view returns (bool);

    /// @notice How many models there are.
    function modelCount() external view returns (uint256);

    /// @notice The ids from `start`, at most `limit`, in the order of registration.
    function modelIds(uint256 start, uint256 limit) external view returns (bytes32[] memory);
}
