// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "./interfaces/IVerifierStakes.sol";
import {Draws} from "./libraries/Draws.sol";

/// @dev Documented in IVerifierStakes.
contract VerifierStakes is IVerifierStakes, ReentrancyGuardTransient {
    using Draws for Draws.Deck;

    struct Pool {
        uint32 slots;
        uint32 active;
        /// Numbers whose seat was withdrawn.
        uint32[] free;
        mapping(uint32 number => Seat) seats;
    }

    /// @dev Burned money is sent where nobody has the key, rather than kept here, so that what this contract holds is
    /// exactly what it owes. There is no code there that could refuse it.
    address payable private constant BURNED = payable(0x000000000000000000000000000000000000dEaD);
    uint256 private constant MOST_URL_BYTES = 256;

    address private immutable ORACLE;
    IModelRegistry private immutable MODELS;
    uint32 private immutable SEAT_AGE;
    uint32 private immutable UNBONDING_TIME;

    mapping(bytes32 modelId => Pool) private _pools;

    modifier onlyOracle() {
        require(msg.sender == ORACLE, NotOracle(msg.sender));
        _;
    }

    /// @param unbonding seconds; the oracle checks that its jobs are shorter
    constructor(address oracle_, IModelRegistry models, uint32 age, uint32 unbonding) {
        require(age > 0, BadSeatAge(age));

        (ORACLE, MODELS, SEAT_AGE, UNBONDING_TIME) = (oracle_, models, age, unbonding);
    }

    // ------------------------------------------------------------------------------------------------------- the owners

    /// @inheritdoc IVerifierStakes
    function enrol(bytes32 modelId, address operator) external payable returns (uint32 seat) {
        uint96 stake = MODELS.seatStakeOf(modelId);
        require(msg.value == stake, WrongStake(msg.value, stake));
        require(operator != address(0), EmptyOperator());

        Pool storage pool = _pools[modelId];
        seat = _takeNumber(pool);
        pool.active += 1;
        pool.seats[seat] = Seat({
            owner: msg.sender,
            operator: operator,
            stake: stake,
            bonded: 0,
            enrolledAt: uint64(block.timestamp),
            leftAt: 0
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

        _leave(modelId, seat, false);
    }

    /// @inheritdoc IVerifierStakes
    function withdraw(bytes32 modelId, uint32 seat, address payable to) external nonReentrant returns (uint256 amount) {
        Seat memory held = _owned(modelId, seat);
        require(held.leftAt != 0, StillEnrolled(modelId, seat));
        uint256 until = held.leftAt + uint256(UNBONDING_TIME);
        require(block.timestamp >= until, Unbonding(modelId, seat, until));
        require(held.bonded == 0, JobsOpen(modelId, seat, held.bonded));

        amount = held.stake;
        Pool storage pool = _pools[modelId];
        delete pool.seats[seat];
        pool.free.push(seat);

        emit StakeWithdrawn(modelId, seat, to, amount);

        Address.sendValue(to, amount);
    }

    /// @inheritdoc IVerifierStakes
    function announce(string calldata url) external {
        require(bytes(url).length <= MOST_URL_BYTES, UrlTooLong(bytes(url).length, MOST_URL_BYTES));

        emit EndpointAnnounced(msg.sender, url);
    }

    // ------------------------------------------------------------------------------------------------------- the oracle

    /// @inheritdoc IVerifierStakes
    function bind(bytes32 modelId, uint32[] calldata numbers, uint96 bond)
        external
        onlyOracle
        returns (address[] memory operators)
    {
        Pool storage pool = _pools[modelId];
        operators = new address[](numbers.length);
        for (uint256 i; i < numbers.length; ++i) {
            Seat storage seat = pool.seats[numbers[i]];
            if (seat.stake - seat.bonded < bond) continue;

            seat.bonded += bond;
            operators[i] = seat.operator;
        }
    }

    /// @inheritdoc IVerifierStakes
    /// @dev A seat cannot be withdrawn while it has a bond, a bond is part of its stake, and no penalty is larger than the
    /// bond it comes with: so the subtractions cannot fail, and no job can be kept from settling.
    function release(bytes32 jobId, bytes32 modelId, Penalty[] calldata penalties)
        external
        onlyOracle
        returns (address[] memory owners)
    {
        Pool storage pool = _pools[modelId];
        owners = new address[](penalties.length);
        uint256 burned;
        for (uint256 i; i < penalties.length; ++i) {
            Penalty calldata penalty = penalties[i];
            Seat storage seat = pool.seats[penalty.seat];
            owners[i] = seat.owner;
            if (penalty.bond == 0) continue;

            seat.bonded -= penalty.bond;
            bool spent;
            if (penalty.burned > 0) {
                seat.stake -= penalty.burned;
                spent = seat.stake < penalty.bond;
                burned += penalty.burned;
                emit Slashed(jobId, modelId, penalty.seat, penalty.burned);
            }
            if ((penalty.evict || spent) && seat.leftAt == 0) _leave(modelId, penalty.seat, true);
        }

        if (burned > 0) Address.sendValue(BURNED, burned);
    }

    // --------------------------------------------------------------------------------------------------------- the draw

    /// @inheritdoc IVerifierStakes
    function committee(bytes32 modelId, bytes32 seed, uint32 slots, uint64 requestTime, uint8 size)
        external
        view
        returns (uint32[] memory drawn)
    {
        Pool storage pool = _pools[modelId];
        Draws.Deck memory deck = Draws.deck(seed, slots, 4 * uint256(size) + 16);
        drawn = new uint32[](size);
        uint256 found;
        while (found < size && deck.left()) {
            uint32 number = uint32(deck.deal());
            if (_mayBeDrawn(pool.seats[number], requestTime)) drawn[found++] = number;
        }
        return _first(drawn, found);
    }

    /// @dev Of the request's time only: whatever happens to the seat afterwards changes nothing.
    function _mayBeDrawn(Seat storage seat, uint64 requestTime) private view returns (bool) {
        (uint64 enrolledAt, uint64 leftAt) = (seat.enrolledAt, seat.leftAt);
        bool old = enrolledAt != 0 && enrolledAt + SEAT_AGE <= requestTime;
        return old && (leftAt == 0 || leftAt >= requestTime);
    }

    // -------------------------------------------------------------------------------------------------------- the views

    /// @inheritdoc IVerifierStakes
    function seatOf(bytes32 modelId, uint32 seat) external view returns (Seat memory) {
        return _pools[modelId].seats[seat];
    }

    /// @inheritdoc IVerifierStakes
    function slotCount(bytes32 modelId) external view returns (uint32) {
        return _pools[modelId].slots;
    }

    /// @inheritdoc IVerifierStakes
    function activeSeats(bytes32 modelId) external view returns (uint32) {
        return _pools[modelId].active;
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
    function unbondingTime() external view returns (uint32) {
        return UNBONDING_TIME;
    }

    /// @inheritdoc IVerifierStakes
    function oracle() external view returns (address) {
        return ORACLE;
    }

    // ----------------------------------------------------------------------------------------------------------- inside

    /// @dev Numbers are used again so that the pool stays dense and a draw finds its seats.
    function _takeNumber(Pool storage pool) private returns (uint32 number) {
        uint256 free = pool.free.length;
        if (free == 0) return pool.slots++;

        number = pool.free[free - 1];
        pool.free.pop();
    }

    function _leave(bytes32 modelId, uint32 seat, bool evicted) private {
        Pool storage pool = _pools[modelId];
        pool.seats[seat].leftAt = uint64(block.timestamp);
        pool.active -= 1;

        emit Left(modelId, seat, evicted);
    }

    function _owned(bytes32 modelId, uint32 number) private view returns (Seat storage seat) {
        seat = _pools[modelId].seats[number];
        require(seat.owner != address(0), NoSuchSeat(modelId, number));
        require(seat.owner == msg.sender, NotSeatOwner(modelId, number, msg.sender));
    }

    function _first(uint32[] memory numbers, uint256 count) private pure returns (uint32[] memory firsts) {
        firsts = new uint32[](count);
        for (uint256 i; i < count; ++i) {
            firsts[i] = numbers[i];
        }
    }
}
