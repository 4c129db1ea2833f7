// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {OracleBase} from "./OracleBase.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "./interfaces/IVerifierStakes.sol";
import {Members} from "./libraries/Members.sol";
import {Pool, Seats} from "./libraries/Seats.sol";

/// @notice The seats, as the owners see them (documented in IVerifierStakes) and as the oracle, which is built on this,
/// binds and releases them.
abstract contract VerifierStakes is IVerifierStakes, OracleBase {
    using Seats for Pool;

    uint256 private constant MOST_URL_BYTES = 256;

    IModelRegistry internal immutable MODELS;
    uint32 private immutable SEAT_AGE;
    uint32 private immutable UNBONDING_TIME;

    uint32 private _poolCount;

    constructor(IModelRegistry models_, uint32 age, uint32 unbonding) {
        require(age > 0, BadSeatAge(age));

        (MODELS, SEAT_AGE, UNBONDING_TIME) = (models_, age, unbonding);
    }

    // ------------------------------------------------------------------------------------------------------- the owners

    /// @inheritdoc IVerifierStakes
    function enrol(bytes32 modelId, address operator) external payable returns (uint32 seat) {
        Pool storage pool = _pools[modelId];
        if (pool.number == 0) pool.number = ++_poolCount;
        return pool.enrol(modelId, MODELS.seatStakeOf(modelId), operator, SEAT_AGE);
    }

    /// @inheritdoc IVerifierStakes
    function setOperator(bytes32 modelId, uint32 seat, address operator) external {
        _pools[modelId].setOperator(modelId, seat, operator);
    }

    /// @inheritdoc IVerifierStakes
    function leavePool(bytes32 modelId, uint32 seat) external {
        _pools[modelId].leavePool(modelId, seat, SEAT_AGE);
    }

    /// @inheritdoc IVerifierStakes
    function withdrawStake(bytes32 modelId, uint32 seat, address payable to)
        external
        nonReentrant
        returns (uint256 amount)
    {
        amount = _pools[modelId].takeStake(modelId, seat, to, UNBONDING_TIME);

        Address.sendValue(to, amount);
    }

    /// @inheritdoc IVerifierStakes
    function withdrawEarnings(bytes32 modelId, uint32[] calldata numbers, address payable to)
        external
        nonReentrant
        returns (uint256 amount)
    {
        amount = _pools[modelId].takeEarnings(modelId, numbers, to);

        Address.sendValue(to, amount);
    }

    /// @inheritdoc IVerifierStakes
    function announce(string calldata url) external {
        require(bytes(url).length <= MOST_URL_BYTES, UrlTooLong(bytes(url).length, MOST_URL_BYTES));

        emit EndpointAnnounced(msg.sender, url);
    }

    // ------------------------------------------------------------------------------------------------------- the oracle

    /// @dev The seats that `seed` draws, each with an eighth of its stake bound from now on, but for those that are excused.
    /// @return members the seats, with their operators and the vote slots they use
    /// @return bits one for each seat that takes part, by member
    function _seat(bytes32 modelId, bytes32 seed, uint32 slots, uint40 requestedAt, uint8 size)
        internal
        returns (IGenerationOracle.Member[] memory members, uint32 bits)
    {
        Pool storage pool = _pools[modelId];
        members = Members.wrap(pool.members(seed, slots, requestedAt, size, SEAT_AGE));
        bits = pool.bind(members);
    }

    // -------------------------------------------------------------------------------------------------------- the views

    /// @inheritdoc IVerifierStakes
    function committee(bytes32 modelId, bytes32 seed, uint32 slots, uint40 requestedAt, uint8 size)
        external
        view
        returns (bytes32[] memory)
    {
        return _pools[modelId].members(seed, slots, requestedAt, size, SEAT_AGE);
    }

    /// @inheritdoc IVerifierStakes
    function seatOf(bytes32 modelId, uint32 seat) external view returns (Seat memory) {
        return _pools[modelId].seats[seat];
    }

    /// @inheritdoc IVerifierStakes
    function poolOf(bytes32 modelId) public view returns (PoolView memory) {
        Pool storage pool = _pools[modelId];
        (uint32 young, uint32 younger,) = pool.youth(SEAT_AGE);
        (uint32 active, uint32 youth) = (pool.active, young + younger);
        return PoolView({slots: pool.slots, active: active, old: active > youth ? active - youth : 0});
    }

    /// @inheritdoc IVerifierStakes
    function seats(bytes32 modelId, uint32 start, uint32 limit) external view returns (Seat[] memory) {
        return _pools[modelId].page(start, limit);
    }

    /// @inheritdoc IVerifierStakes
    function seatAge() external view returns (uint32) {
        return SEAT_AGE;
    }

    /// @inheritdoc IVerifierStakes
    function unbondingTime() external view returns (uint32) {
        return UNBONDING_TIME;
    }
}
