// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ModelRegistry: what can be asked for, and how answers are compared
/// @notice A model is known by the hash of everything the chain must know of it, so that no part of it can change and
/// nobody can register a manifest under terms of his own and be taken for its author.
interface IModelRegistry {
    /// @notice What a model makes.
    enum Kind {
        /// A picture, from a text.
        Image,
        /// A text, from messages.
        Text
    }

    /// @notice What the chain must know of a model. Packed: five words, of which a request reads two,
    /// or three if it is for a text. What bounds the other kind is zero.
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
        /// honest digest. Texts agree or differ: on every lane `accept = 0` and `reject = 64`, which no distance exceeds, so that
        /// a text that differs is neither paid nor slashed.
        bytes4 accept;
        bytes4 reject;
        /// Wei for a million units of work. The work of an image is its steps times its pixels; that of a text is the bytes of
        /// its prompt, as a token has at least one, and a token for each of its beams up to its limit.
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
        /// Tokens that a text may have, its end included.
        uint32 maxTokens;
        /// Beams that a search may have; one is greedy decoding.
        uint8 maxBeams;
    }

    /// @notice What a request is offered, at the present base fee.
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

    /// @notice The integers of a request for a text.
    struct TextRequest {
        uint256 messages;
        /// Of all messages and stops together.
        uint256 promptBytes;
        uint32 maxTokens;
        uint8 beams;
    }

    /// @param name the manifest's name for itself: a hint for people, unchecked and not unique
    event ModelRegistered(bytes32 indexed modelId, address indexed owner, bytes32 indexed manifestHash, string name);

    error UnknownModel(bytes32 modelId);
    error AlreadyRegistered(bytes32 modelId);
    error NotModelOwner(address owner, address caller);
    error EmptyManifest();
    error BadProfile(uint256 lane, uint8 accept, uint8 reject);
    /// @dev Bounds of images must satisfy `1 <= minSide <= maxSide <= 4096`, have both sides divisible by a `sideStep` of at
    /// least 1, and allow 1 to 1,000 steps; those of texts 1 to 32,768 tokens and 1 to 16 beams. All others are zero.
    error BadBounds();
    error WrongKind(bytes32 modelId, Kind kind);
    error RoyaltyTooLarge(uint16 royalty, uint16 most);
    /// @dev A seat's stake must divide into eight bonds of 20 shares: at least 160 wei.
    error SeatStakeTooSmall(uint96 seatStake);
    error NameTooLong(uint256 bytes_, uint256 most);
    error PromptTooLong(uint256 bytes_, uint256 most);
    error SizeOutOfBounds(uint32 width, uint32 height, uint16 least, uint16 most, uint8 step);
    error StepsOutOfBounds(uint32 steps, uint32 most);
    error GuidanceOutOfBounds(uint32 guidance, uint32 most);
    error MessagesOutOfBounds(uint256 messages, uint256 most);
    error TokensOutOfBounds(uint32 tokens, uint32 most);
    error BeamsOutOfBounds(uint8 beams, uint8 most);

    /// @notice Registers a model; the caller must be its owner. The name has at most 64 bytes.
    /// @return modelId `keccak256(abi.encode(model))`
    function register(Model calldata model, string calldata name) external returns (bytes32 modelId);

    /// @notice The model of that id; reverts with `UnknownModel`.
    function modelOf(bytes32 modelId) external view returns (Model memory);

    /// @notice The stake of one of the model's seats, in wei; reverts with `UnknownModel`.
    function seatStakeOf(bytes32 modelId) external view returns (uint96);

    /// @notice The terms for this image; reverts with the reason if the model cannot be asked for it.
    function offerForImage(bytes32 modelId, ImageRequest calldata request) external view returns (Offer memory);

    /// @notice The terms for this text; reverts with the reason if the model cannot be asked for it. A text has 1 to 64
    /// messages.
    function offerForText(bytes32 modelId, TextRequest calldata request) external view returns (Offer memory);

    function isRegistered(bytes32 modelId) external view returns (bool);

    /// @notice How many models there are.
    function modelCount() external view returns (uint256);

    /// @notice The ids from `start`, at most `limit`, in the order of registration.
    function modelIds(uint256 start, uint256 limit) external view returns (bytes32[] memory);
}
