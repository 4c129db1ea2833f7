// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../interfaces/IVerifierStakes.sol";
import {Draws} from "./Draws.sol";
import {Members} from "./Members.sol";

/// @dev Draws look at slots, seats and times only: one word of the pool and one of each seat, and one more for the operator
/// of those drawn.
struct Pool {
    uint32 slots;
    uint32 active;
    /// Among all pools; from 1.
    uint32 number;
    /// Seats that enrolled in the period before the latest enrolment's, and in that one. A period is one seat age.
    uint32 young;
    uint32 younger;
    uint40 period;
    /// Numbers whose seat was withdrawn.
    uint32[] free;
    mapping(uint32 number => IVerifierStakes.Seat) seats;
}

/// @notice The seats of a pool: how they come, go, and are drawn. The owners' side is linked, so that the oracle keeps
/// below the size of a contract (EIP-170); the draw, which every job pays for, is not.
library Seats {
    using Draws for Draws.Deck;
    using Members for IGenerationOracle.Member;

    uint8 internal constant PLACES = 8;

    // ------------------------------------------------------------------------------------------------------- the owners

    function enrol(Pool storage pool, bytes32 modelId, uint96 stake, address operator, uint32 seatAge)
        external
        returns (uint32 seat)
    {
        require(msg.value == stake, IVerifierStakes.WrongStake(msg.value, stake));
        require(operator != address(0), IVerifierStakes.EmptyOperator());

        seat = takeNumber(pool);
        (pool.young, pool.younger, pool.period) = youth(pool, seatAge);
        pool.younger += 1;
        pool.active += 1;
        pool.seats[seat] = IVerifierStakes.Seat({
            enrolledAt: uint40(block.timestamp),
            leftAt: 0,
            places: 0,
            bonds: PLACES,
            earned: 0,
            operator: operator,
            stake: stake,
            owner: msg.sender
        });

        emit IVerifierStakes.Enrolled(modelId, seat, msg.sender, operator, stake);
    }

    function setOperator(Pool storage pool, bytes32 modelId, uint32 number, address operator) external {
        IVerifierStakes.Seat storage seat = owned(pool, modelId, number);
        require(operator != address(0), IVerifierStakes.EmptyOperator());

        seat.operator = operator;

        emit IVerifierStakes.OperatorChanged(modelId, number, operator);
    }

    function leavePool(Pool storage pool, bytes32 modelId, uint32 number, uint32 seatAge) external {
        IVerifierStakes.Seat storage seat = owned(pool, modelId, number);
        require(seat.leftAt == 0, IVerifierStakes.AlreadyLeft(modelId, number));

        (uint32 young, uint32 younger, uint40 period) = youth(pool, seatAge);
        uint40 enrolled = uint40(seat.enrolledAt / seatAge);
        if (enrolled == period) younger -= 1;
        else if (enrolled + 1 == period) young -= 1;
        (pool.young, pool.younger, pool.period) = (young, younger, period);
        pool.active -= 1;
        seat.leftAt = uint40(block.timestamp);

        emit IVerifierStakes.Left(modelId, number, false);
    }

    /// @return amount to pay out: stake and earnings
    function takeStake(Pool storage pool, bytes32 modelId, uint32 number, address to, uint32 unbonding)
        external
        returns (uint256 amount)
    {
        IVerifierStakes.Seat memory seat = owned(pool, modelId, number);
        require(seat.leftAt != 0, IVerifierStakes.StillEnrolled(modelId, number));
        uint256 until = uint256(seat.leftAt) + unbonding;
        require(block.timestamp >= until, IVerifierStakes.Unbonding(modelId, number, until));
        require(seat.places == 0, IVerifierStakes.JobsOpen(modelId, number));

        amount = uint256(seat.stake) + seat.earned;
        delete pool.seats[number];
        pool.free.push(number);

        emit IVerifierStakes.StakeWithdrawn(modelId, number, to, amount);
    }

    /// @return amount to pay out
    function takeEarnings(Pool storage pool, bytes32 modelId, uint32[] calldata numbers, address to)
        external
        returns (uint256 amount)
    {
        for (uint256 i; i < numbers.length; ++i) {
            IVerifierStakes.Seat storage seat = owned(pool, modelId, numbers[i]);
            uint96 earned = seat.earned;
            if (earned == 0) continue;

            seat.earned = 0;
            amount += earned;
            emit IVerifierStakes.EarningsWithdrawn(modelId, numbers[i], to, earned);
        }
        require(amount > 0, IVerifierStakes.NothingEarned(modelId));
    }

    /// @dev Numbers are used again so that the pool stays dense and a draw finds its seats.
    function takeNumber(Pool storage pool) private returns (uint32 number) {
        uint256 free = pool.free.length;
        if (free == 0) return pool.slots++;

        number = pool.free[free - 1];
        pool.free.pop();
    }

    function owned(Pool storage pool, bytes32 modelId, uint32 number)
        private
        view
        returns (IVerifierStakes.Seat storage seat)
    {
        seat = pool.seats[number];
        require(seat.owner != address(0), IVerifierStakes.NoSuchSeat(modelId, number));
        require(seat.owner == msg.sender, IVerifierStakes.NotSeatOwner(modelId, number, msg.sender));
    }

    // --------------------------------------------------------------------------------------------------------- the draw

    /// @notice See `IVerifierStakes.committee`.
    function members(Pool storage pool, bytes32 seed, uint32 slots, uint40 requestedAt, uint8 size, uint32 seatAge)
        internal
        view
        returns (bytes32[] memory drawn)
    {
        Draws.Deck memory deck = Draws.deck(seed, slots, 4 * uint256(size) + 16);
        drawn = new bytes32[](size);
        (uint256 found, uint32 poolNumber) = (0, pool.number);
        while (found < drawn.length && deck.left()) {
            uint32 number = uint32(deck.deal());
            IVerifierStakes.Seat storage seat = pool.seats[number];
            if (mayBeDrawn(seat, requestedAt, seatAge)) drawn[found++] = memberOf(seat, poolNumber, number);
        }
        assembly ("memory-safe") {
            mstore(drawn, found) // what was not found is cut off
        }
    }

    /// @dev Without an operator if the stake is fully bound.
    function memberOf(IVerifierStakes.Seat storage seat, uint32 pool, uint32 number) private view returns (bytes32) {
        (uint8 used, uint8 bonds) = (seat.places, seat.bonds);
        address operator = count(used) < bonds ? seat.operator : address(0);
        return Members.pack(operator, pool, number, freePlace(used));
    }

    /// @dev Binds an eighth of the stake of each seat that is not excused.
    /// @return bits one for each of them, by member
    function bind(Pool storage pool, IGenerationOracle.Member[] memory drawn) internal returns (uint32 bits) {
        for (uint256 i; i < drawn.length; ++i) {
            IGenerationOracle.Member member = drawn[i];
            if (member.isExcused()) continue;

            pool.seats[member.seat()].places |= uint8(1 << member.place());
            bits |= uint32(1 << i);
        }
    }

    /// @dev A bounty for an operator whose seat is written in the same transaction: a slot less than a balance of its own.
    function credit(Pool storage pool, IGenerationOracle.Member member, uint256 amount) internal {
        pool.seats[member.seat()].earned += uint96(amount);
    }

    /// @dev Gives a seat its bond back, what it earned, and less of its stake if it lost some. A seat that cannot cover one
    /// bond any more leaves the pool. It cannot fail: a seat cannot be withdrawn while it has a bond, and it loses at most
    /// the bond that it held.
    function release(
        Pool storage pool,
        bytes32 modelId,
        IGenerationOracle.Member member,
        uint96 bond,
        uint96 earned,
        uint96 lost,
        bool evict
    ) internal {
        if (member.isExcused()) return;

        IVerifierStakes.Seat storage seat = pool.seats[member.seat()];
        (seat.places, seat.earned) = (seat.places & ~uint8(1 << member.place()), seat.earned + earned);
        if (lost == 0 && !evict) return;

        uint96 stake = seat.stake - lost;
        (seat.stake, seat.bonds) = (stake, uint8(stake / bond));
        if ((!evict && stake >= bond) || seat.leftAt != 0) return;

        seat.leftAt = uint40(block.timestamp);
        pool.active -= 1;
        emit IVerifierStakes.Left(modelId, member.seat(), true);
    }

    /// @dev Of the request's time only: whatever happens to the seat afterwards changes nothing.
    function mayBeDrawn(IVerifierStakes.Seat storage seat, uint40 requestedAt, uint32 seatAge)
        private
        view
        returns (bool)
    {
        (uint40 enrolledAt, uint40 leftAt) = (seat.enrolledAt, seat.leftAt);
        bool old = enrolledAt != 0 && uint256(enrolledAt) + seatAge <= requestedAt;
        return old && (leftAt == 0 || leftAt >= requestedAt);
    }

    function freePlace(uint8 used) private pure returns (uint8 place) {
        while (place < PLACES && used & (1 << place) != 0) ++place;
    }

    function count(uint8 bits) private pure returns (uint8 ones) {
        for (; bits != 0; bits &= bits - 1) {
            ++ones;
        }
    }

    // -------------------------------------------------------------------------------------------------------- the views

    function page(Pool storage pool, uint32 start, uint32 limit)
        external
        view
        returns (IVerifierStakes.Seat[] memory seats)
    {
        uint32 rest = start < pool.slots ? pool.slots - start : 0;
        seats = new IVerifierStakes.Seat[](limit < rest ? limit : rest);
        for (uint32 i; i < seats.length; ++i) {
            seats[i] = pool.seats[start + i];
        }
    }

    /// @dev How many seats are too young, in periods of one seat age: those of the one before the present and of the present
    /// one. Those evicted meanwhile are counted too, which errs on the safe side.
    function youth(Pool storage pool, uint32 seatAge)
        internal
        view
        returns (uint32 young, uint32 younger, uint40 period)
    {
        period = uint40(block.timestamp / seatAge);
        uint40 last = pool.period;
        if (period == last) return (pool.young, pool.younger, period);
        if (period == last + 1) return (pool.younger, 0, period);
    }
}
