// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "./interfaces/IVerifierStakes.sol";
import {Draws} from "./libraries/Draws.sol";
import {Members} from "./libraries/Members.sol";

/// @notice The seats, as the owners see them (documented in IVerifierStakes) and as the oracle, which is built on this,
/// draws, binds and releases them.
abstract contract VerifierStakes is IVerifierStakes, ReentrancyGuardTransient {
    using Draws for Draws.Deck;
    using Members for IGenerationOracle.Member;

    /// @dev Draws look at slots, seats and times only: one word for the pool and one for each seat, and one more for the
    /// operator of those drawn.
    struct Pool {
        uint32 slots;
        uint32 active;
        /// Among all pools; from 1.
        uint32 number;
        /// Seats that enrolled in this period and in the one before. A period is one seat age.
        uint32 young;
        uint32 younger;
        uint40 period;
        /// Numbers whose seat was withdrawn.
        uint32[] free;
        mapping(uint32 number => Seat) seats;
    }

    uint8 internal constant PLACES = 8;
    uint256 private constant MOST_URL_BYTES = 256;

    IModelRegistry internal immutable MODELS;
    uint32 private immutable SEAT_AGE;
    uint32 private immutable UNBONDING_TIME;

    mapping(bytes32 modelId => Pool) private _pools;
    uint32 private _poolCount;

    constructor(IModelRegistry models_, uint32 age, uint32 unbonding) {
        require(age > 0, BadSeatAge(age));

        (MODELS, SEAT_AGE, UNBONDING_TIME) = (models_, age, unbonding);
    }

    // ------------------------------------------------------------------------------------------------------- the owners

    /// @inheritdoc IVerifierStakes
    function enrol(bytes32 modelId, address operator) external payable returns (uint32 seat) {
        uint96 stake = MODELS.seatStakeOf(modelId);
        require(msg.value == stake, WrongStake(msg.value, stake));
        require(operator != address(0), EmptyOperator());

        Pool storage pool = _pools[modelId];
        if (pool.number == 0) pool.number = ++_poolCount;
        seat = _takeNumber(pool);
        (pool.young, pool.younger, pool.period) = _youth(pool);
        pool.younger += 1;
        pool.active += 1;
        pool.seats[seat] = Seat({
            enrolledAt: uint40(block.timestamp),
            leftAt: 0,
            places: 0,
            bonds: PLACES,
            earned: 0,
            operator: operator,
            stake: stake,
            owner: msg.sender
        });

        emit Enrolled(modelId, seat, msg.sender, operator, stake);
    }

    /// @inheritdoc IVerifierStakes
    function setOperator(bytes32 modelId, uint32 seat, address operator) external {
        Seat storage held = _owned(modelId, seat);
        require(operator != address(0), EmptyOperator());

        held.operator = operator;

        emit OperatorChanged(modelId, seat, operator);
    }

    /// @inheritdoc IVerifierStakes
    function leavePool(bytes32 modelId, uint32 seat) external {
        Seat storage held = _owned(modelId, seat);
        require(held.leftAt == 0, AlreadyLeft(modelId, seat));

        held.leftAt = uint40(block.timestamp);
        _pools[modelId].active -= 1;

        emit Left(modelId, seat, false);
    }

    /// @inheritdoc IVerifierStakes
    function withdrawStake(bytes32 modelId, uint32 seat, address payable to)
        external
        nonReentrant
        returns (uint256 amount)
    {
        Seat memory held = _owned(modelId, seat);
        require(held.leftAt != 0, StillEnrolled(modelId, seat));
        uint256 until = uint256(held.leftAt) + UNBONDING_TIME;
        require(block.timestamp >= until, Unbonding(modelId, seat, until));
        require(held.places == 0, JobsOpen(modelId, seat));

        amount = uint256(held.stake) + held.earned;
        Pool storage pool = _pools[modelId];
        delete pool.seats[seat];
        pool.free.push(seat);

        emit StakeWithdrawn(modelId, seat, to, amount);

        Address.sendValue(to, amount);
    }

    /// @inheritdoc IVerifierStakes
    function withdrawEarnings(bytes32 modelId, uint32[] calldata numbers, address payable to)
        external
        nonReentrant
        returns (uint256 amount)
    {
        for (uint256 i; i < numbers.length; ++i) {
            Seat storage seat = _owned(modelId, numbers[i]);
            uint96 earned = seat.earned;
            if (earned == 0) continue;

            seat.earned = 0;
            amount += earned;
            emit EarningsWithdrawn(modelId, numbers[i], to, earned);
        }
        require(amount > 0, NothingEarned(modelId));

        Address.sendValue(to, amount);
    }

    /// @inheritdoc IVerifierStakes
    function announce(string calldata url) external {
        require(bytes(url).length <= MOST_URL_BYTES, UrlTooLong(bytes(url).length, MOST_URL_BYTES));

        emit EndpointAnnounced(msg.sender, url);
    }

    // ------------------------------------------------------------------------------------------------------- the oracle

    /// @dev The seats that `seed` draws, with their operators and the vote slots they would use now.
    function _membersOf(bytes32 modelId, bytes32 seed, uint32 slots, uint40 requestedAt, uint8 size)
        internal
        view
        returns (IGenerationOracle.Member[] memory members)
    {
        uint32[] memory numbers = committee(modelId, seed, slots, requestedAt, size);
        members = new IGenerationOracle.Member[](numbers.length);
        Pool storage pool = _pools[modelId];
        uint32 number = pool.number;
        for (uint256 i; i < numbers.length; ++i) {
            Seat storage seat = pool.seats[numbers[i]];
            (uint8 used, uint8 bonds) = (seat.places, seat.bonds);
            uint8 place = _freePlace(used);
            bool excused = _count(used) >= bonds;
            members[i] = Members.member(excused ? address(0) : seat.operator, number, numbers[i], place);
        }
    }

    /// @dev Binds an eighth of the stake of each seat that is not excused.
    /// @return bits one for each of them, by member
    function _bind(bytes32 modelId, IGenerationOracle.Member[] memory members) internal returns (uint32 bits) {
        Pool storage pool = _pools[modelId];
        for (uint256 i; i < members.length; ++i) {
            if (members[i].isExcused()) continue;

            pool.seats[members[i].seat()].places |= uint8(1 << members[i].place());
            bits |= uint32(1 << i);
        }
    }

    /// @dev Gives a seat its bond back, what it earned, and less of its stake if it lost some. A seat that cannot cover one
    /// bond any more leaves the pool. It cannot fail: a seat cannot be withdrawn while it has a bond, and it loses at most
    /// the bond that it held.
    function _release(
        bytes32 modelId,
        IGenerationOracle.Member member,
        uint96 bond,
        uint96 earned,
        uint96 lost,
        bool evict
    ) internal {
        if (member.isExcused()) return;

        Pool storage pool = _pools[modelId];
        Seat storage seat = pool.seats[member.seat()];
        seat.places &= ~uint8(1 << member.place());
        seat.earned += earned;
        if (lost == 0) return;

        uint96 stake = seat.stake - lost;
        (seat.stake, seat.bonds) = (stake, uint8(stake / bond));
        if ((!evict && stake >= bond) || seat.leftAt != 0) return;

        seat.leftAt = uint40(block.timestamp);
        pool.active -= 1;
        emit Left(modelId, member.seat(), true);
    }

    // --------------------------------------------------------------------------------------------------------- the draw

    /// @inheritdoc IVerifierStakes
    function committee(bytes32 modelId, bytes32 seed, uint32 slots, uint40 requestedAt, uint8 size)
        public
        view
        returns (uint32[] memory drawn)
    {
        Pool storage pool = _pools[modelId];
        Draws.Deck memory deck = Draws.deck(seed, slots, 4 * uint256(size) + 16);
        drawn = new uint32[](size);
        uint256 found;
        while (found < size && deck.left()) {
            uint32 number = uint32(deck.deal());
            if (_mayBeDrawn(pool.seats[number], requestedAt)) drawn[found++] = number;
        }
        assembly ("memory-safe") {
            mstore(drawn, found) // what was not found is cut off
        }
    }

    /// @dev Of the request's time only: whatever happens to the seat afterwards changes nothing.
    function _mayBeDrawn(Seat storage seat, uint40 requestedAt) private view returns (bool) {
        (uint40 enrolledAt, uint40 leftAt) = (seat.enrolledAt, seat.leftAt);
        bool old = enrolledAt != 0 && uint256(enrolledAt) + SEAT_AGE <= requestedAt;
        return old && (leftAt == 0 || leftAt >= requestedAt);
    }

    // -------------------------------------------------------------------------------------------------------- the views

    /// @inheritdoc IVerifierStakes
    function seatOf(bytes32 modelId, uint32 seat) external view returns (Seat memory) {
        return _pools[modelId].seats[seat];
    }

    /// @inheritdoc IVerifierStakes
    function poolOf(bytes32 modelId) public view returns (PoolView memory) {
        Pool storage pool = _pools[modelId];
        (uint32 young, uint32 younger,) = _youth(pool);
        uint32 active = pool.active;
        uint32 youth = young + younger;
        return PoolView({slots: pool.slots, active: active, old: active > youth ? active - youth : 0});
    }

    /// @inheritdoc IVerifierStakes
    function seats(bytes32 modelId, uint32 start, uint32 limit) external view returns (Seat[] memory page) {
        Pool storage pool = _pools[modelId];
        uint32 rest = start < pool.slots ? pool.slots - start : 0;
        page = new Seat[](limit < rest ? limit : rest);
        for (uint32 i; i < page.length; ++i) {
            page[i] = pool.seats[start + i];
        }
    }

    /// @inheritdoc IVerifierStakes
    function seatAge() external view returns (uint32) {
        return SEAT_AGE;
    }

    /// @inheritdoc IVerifierStakes
    function unbondingTime() public view returns (uint32) {
        return UNBONDING_TIME;
    }

    // ----------------------------------------------------------------------------------------------------------- inside

    /// @dev Numbers are used again so that the pool stays dense and a draw finds its seats.
    function _takeNumber(Pool storage pool) private returns (uint32 number) {
        uint256 free = pool.free.length;
        if (free == 0) return pool.slots++;

        number = pool.free[free - 1];
        pool.free.pop();
    }

    /// @dev How many seats are too young, in periods of one seat age: those of the present period and of the one before. Those
    /// who have left meanwhile are counted too, which errs on the safe side.
    function _youth(Pool storage pool) private view returns (uint32 young, uint32 younger, uint40 period) {
        period = uint40(block.timestamp / SEAT_AGE);
        uint40 last = pool.period;
        if (period == last) return (pool.young, pool.younger, period);
        if (period == last + 1) return (pool.younger, 0, period);
    }

    function _freePlace(uint8 used) private pure returns (uint8 place) {
        while (place < PLACES && used & (1 << place) != 0) ++place;
    }

    function _count(uint8 bits) private pure returns (uint8 count) {
        for (; bits != 0; bits &= bits - 1) ++count;
    }

    function _owned(bytes32 modelId, uint32 number) private view returns (Seat storage seat) {
        seat = _pools[modelId].seats[number];
        require(seat.owner != address(0), NoSuchSeat(modelId, number));
        require(seat.owner == msg.sender, NotSeatOwner(modelId, number, msg.sender));
    }
}
