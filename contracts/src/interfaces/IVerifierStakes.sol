// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title VerifierStakes: the seats of every model's pool
/// @notice A seat is one bonded stake in one model's pool and one vote in a committee. Its owner (a cold key) holds the
/// money; its operator (a hot key) can only work. Who has more stake takes more seats; one operator may serve many.
///
/// A seat keeps its number while it is in the pool. A committee is drawn from the pool as it stood at the request:
/// taking a seat and leaving count for later requests only, and a number is used again only after the seat that had it
/// was withdrawn, which is later than any dispute it can be part of.
interface IVerifierStakes {
    struct Seat {
        address owner;
        address operator;
        /// What is left of the stake, in wei; bonds of open jobs are part of it.
        uint96 stake;
        /// The part of `stake` that open jobs hold, in wei.
        uint96 bonded;
        /// In seconds since the epoch.
        uint64 enrolledAt;
        /// In seconds since the epoch; zero while the seat is in the pool.
        uint64 leftAt;
    }

    /// @notice What the oracle decided about one seat of a settled job.
    struct Penalty {
        uint32 seat;
        /// The bond to give back to the free stake; zero for a seat that was excused.
        uint96 bond;
        /// The part of the stake to burn, in wei.
        uint96 burned;
        /// Whether the seat leaves the pool.
        bool evict;
    }

    event Enrolled(bytes32 indexed modelId, uint32 indexed seat, address indexed owner, address operator, uint96 stake);
    event OperatorChanged(bytes32 indexed modelId, uint32 indexed seat, address operator);
    event Left(bytes32 indexed modelId, uint32 indexed seat, bool evicted);
    event StakeWithdrawn(bytes32 indexed modelId, uint32 indexed seat, address indexed to, uint256 amount);
    event Slashed(bytes32 indexed jobId, bytes32 indexed modelId, uint32 indexed seat, uint256 amount);
    /// @param url where the operator serves its outputs, at `/outputs/{content hash}`
    event EndpointAnnounced(address indexed operator, string url);

    /// @dev A seat of age zero could be taken in the request's own block.
    error BadSeatAge(uint32 seatAge);
    error NotOracle(address caller);
    error NotSeatOwner(bytes32 modelId, uint32 seat, address caller);
    error NoSuchSeat(bytes32 modelId, uint32 seat);
    error WrongStake(uint256 sent, uint256 expected);
    error EmptyOperator();
    error AlreadyLeft(bytes32 modelId, uint32 seat);
    error StillEnrolled(bytes32 modelId, uint32 seat);
    error Unbonding(bytes32 modelId, uint32 seat, uint256 until);
    error JobsOpen(bytes32 modelId, uint32 seat, uint96 bonded);
    error UrlTooLong(uint256 bytes_, uint256 most);

    /// @notice Takes a seat in the model's pool with the caller as its owner. The model's seat stake must be sent
    /// exactly. The seat can be drawn for requests made `seatAge` seconds later and after.
    function enrol(bytes32 modelId, address operator) external payable returns (uint32 seat);

    /// @notice Names another operator; jobs already drawn keep theirs. Sent by the owner.
    function setOperator(bytes32 modelId, uint32 seat, address operator) external;

    /// @notice Leaves the pool for all later requests. Sent by the owner. Earlier requests can still draw the seat.
    function leavePool(bytes32 modelId, uint32 seat) external;

    /// @notice Pays the stake of a seat that has left, once the unbonding time is over and no job holds a bond of it.
    /// Sent by the owner.
    function withdraw(bytes32 modelId, uint32 seat, address payable to) external returns (uint256 amount);

    /// @notice Publishes where the caller serves its outputs; at most 256 bytes.
    function announce(string calldata url) external;

    /// @notice The committee that `seed` draws for a request made at `requestTime`, when the pool had `slots` slots: up
    /// to `size` different seats, fewer if the pool has no more that were old enough. Pure in its arguments as long as
    /// no number is used again in between. It looks at no more than `4 x size + 16` slots, so that a pool full of holes
    /// cannot make a draw run out of gas: pools of up to that many slots are searched through, and in larger ones with
    /// half of the slots eligible a committee of three comes out short once in 600,000 draws.
    function committee(bytes32 modelId, bytes32 seed, uint32 slots, uint64 requestTime, uint8 size)
        external
        view
        returns (uint32[] memory seats);

    /// @notice Takes a bond from each seat's free stake. Sent by the oracle.
    /// @return operators the seats' operators; zero for a seat whose free stake is less than the bond: it is excused
    function bind(bytes32 modelId, uint32[] calldata seats, uint96 bond) external returns (address[] memory operators);

    /// @notice Gives bonds back and burns penalties. A seat that can no longer cover one bond leaves the pool. Sent by the
    /// oracle, once a job.
    /// @return owners the seats' owners
    function release(bytes32 jobId, bytes32 modelId, Penalty[] calldata penalties)
        external
        returns (address[] memory owners);

    function seatOf(bytes32 modelId, uint32 seat) external view returns (Seat memory);

    /// @notice Numbers in use and free, which a draw ranges over.
    function slotCount(bytes32 modelId) external view returns (uint32);

    /// @notice Seats that are in the pool.
    function activeSeats(bytes32 modelId) external view returns (uint32);

    /// @notice The seats numbered from `start`, at most `limit`; an empty one has no owner.
    function seats(bytes32 modelId, uint32 start, uint32 limit) external view returns (Seat[] memory);

    /// @notice Seconds a seat must have been in the pool before a request that may draw it.
    function seatAge() external view returns (uint32);

    /// @notice Seconds from leaving to withdrawal: longer than any job takes.
    function unbondingTime() external view returns (uint32);

    /// @notice The one contract that may bind and release.
    function oracle() external view returns (address);
}
