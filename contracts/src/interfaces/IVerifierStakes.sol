// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title VerifierStakes: the seats of every model's pool
/// @notice A seat is one bonded stake in one model's pool and one vote in a committee. Its owner (a cold key) holds the
/// money; its operator (a hot key) can only work. Who has more stake takes more seats; one operator may serve many.
///
/// A seat keeps its number while it is in the pool. A committee is drawn from the pool as it stood at the request:
/// taking a seat and leaving count for later requests only, and a number is used again only after the seat that had it
/// was withdrawn, which is later than any dispute it can be part of.
///
/// A drawn seat has an eighth of its stake at risk until the job is settled, and sits in at most eight jobs at once.
interface IVerifierStakes {
    struct Seat {
        /// In seconds since the epoch.
        uint40 enrolledAt;
        /// In seconds since the epoch; zero while the seat is in the pool.
        uint40 leftAt;
        /// Which of its eight vote slots open jobs use, a bit for each.
        uint8 places;
        /// How many bonds the stake covers: eight until some of it is burned.
        uint8 bonds;
        /// What it has earned and its owner has not withdrawn, in wei.
        uint96 earned;
        address operator;
        /// What is left of the stake, in wei.
        uint96 stake;
        address owner;
    }

    /// @notice A pool in numbers.
    struct PoolView {
        /// Numbers in use and free, which a draw ranges over.
        uint32 slots;
        /// Seats that are in the pool.
        uint32 active;
        /// Those of them that are surely old enough to be drawn; a seat counts one to two seat ages after it enrolled.
        uint32 old;
    }

    event Enrolled(bytes32 indexed modelId, uint32 indexed seat, address indexed owner, address operator, uint96 stake);
    event OperatorChanged(bytes32 indexed modelId, uint32 indexed seat, address operator);
    event Left(bytes32 indexed modelId, uint32 indexed seat, bool evicted);
    event StakeWithdrawn(bytes32 indexed modelId, uint32 indexed seat, address indexed to, uint256 amount);
    event EarningsWithdrawn(bytes32 indexed modelId, uint32 indexed seat, address indexed to, uint256 amount);
    /// @param url where the operator serves its outputs, at `/outputs/{content hash}`
    event EndpointAnnounced(address indexed operator, string url);

    /// @dev A seat of age zero could be taken in the request's own block.
    error BadSeatAge(uint32 seatAge);
    error NotSeatOwner(bytes32 modelId, uint32 seat, address caller);
    error NoSuchSeat(bytes32 modelId, uint32 seat);
    error WrongStake(uint256 sent, uint256 expected);
    error EmptyOperator();
    error AlreadyLeft(bytes32 modelId, uint32 seat);
    error StillEnrolled(bytes32 modelId, uint32 seat);
    error Unbonding(bytes32 modelId, uint32 seat, uint256 until);
    error JobsOpen(bytes32 modelId, uint32 seat);
    error NothingEarned(bytes32 modelId);
    error UrlTooLong(uint256 bytes_, uint256 most);

    /// @notice Takes a seat in the model's pool with the caller as its owner. The model's seat stake must be sent
    /// exactly. The seat can be drawn for requests made `seatAge` seconds later and after.
    function enrol(bytes32 modelId, address operator) external payable returns (uint32 seat);

    /// @notice Names another operator; jobs already drawn keep theirs. Sent by the owner.
    function setOperator(bytes32 modelId, uint32 seat, address operator) external;

    /// @notice Leaves the pool for all later requests. Sent by the owner. Earlier requests can still draw the seat.
    function leavePool(bytes32 modelId, uint32 seat) external;

    /// @notice Pays the stake and the earnings of a seat that has left, once the unbonding time is over and no job holds a
    /// bond of it. Sent by the owner.
    function withdrawStake(bytes32 modelId, uint32 seat, address payable to) external returns (uint256 amount);

    /// @notice Pays what the seats have earned. Sent by the owner of all of them.
    function withdrawEarnings(bytes32 modelId, uint32[] calldata numbers, address payable to)
        external
        returns (uint256 amount);

    /// @notice Publishes where the caller serves its outputs; at most 256 bytes.
    function announce(string calldata url) external;

    /// @notice The committee that `seed` draws for a request made at `requestedAt`, when the pool had `slots` slots: up
    /// to `size` different seats, fewer if the pool has no more that were old enough. Pure in its arguments as long as
    /// no number is used again in between, but for what the seats' operators and open jobs add. It looks at no more
    /// than `4 x size + 16` slots, so that a pool full of holes cannot make a draw run out of gas: pools of up to that
    /// many slots are searched through, and in larger ones with half of the slots eligible a committee of three comes out
    /// short once in 600,000 draws.
    /// @return members as `IGenerationOracle.Member`
    function committee(bytes32 modelId, bytes32 seed, uint32 slots, uint40 requestedAt, uint8 size)
        external
        view
        returns (bytes32[] memory members);

    function seatOf(bytes32 modelId, uint32 seat) external view returns (Seat memory);

    function poolOf(bytes32 modelId) external view returns (PoolView memory);

    /// @notice The seats numbered from `start`, at most `limit`; an empty one has no owner.
    function seats(bytes32 modelId, uint32 start, uint32 limit) external view returns (Seat[] memory);

    /// @notice Seconds a seat must have been in the pool before a request that may draw it.
    function seatAge() external view returns (uint32);

    /// @notice Seconds from leaving to withdrawal: longer than any job takes, all its appeals included.
    function unbondingTime() external view returns (uint32);
}
