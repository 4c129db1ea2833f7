// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OracleBase} from "./OracleBase.sol";
import {IGenerationConsumer} from "./interfaces/IGenerationConsumer.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {Fees} from "./libraries/Fees.sol";
import {Jobs} from "./libraries/Jobs.sol";
import {Rounds} from "./libraries/Rounds.sol";
import {Rulings} from "./libraries/Rulings.sol";
import {Appeal, Books, Settlements} from "./libraries/Settlements.sol";

/// @notice What the oracle does once the votes are in; a contract of its own because one may have 24,576 bytes
/// (EIP-170). The oracle makes it in its constructor and hands it such calls by `delegatecall`, as Compound's Comet
/// does with its extension: it runs in the oracle's place, on the oracle's storage. On its own there is no job, so that
/// every direct call fails.
contract OracleExtension is OracleBase {
    using Fees for IGenerationOracle.Job;
    using Jobs for IGenerationOracle.Job;
    using Rounds for IGenerationOracle.RoundState;
    using Settlements for Books;

    /// @dev Between the check of the gas and the consumer's first instruction.
    uint256 private constant CALL_GAS = 10_000;

    constructor(IRandomness randomness_, IGenerationOracle.Windows memory windows_) OracleBase(randomness_, windows_) {}

    // All of this is documented in IGenerationOracle.

    function appeal(IGenerationOracle.Job calldata job) external payable {
        bytes32 jobId = job.id();
        (, uint8 number) = _expect(jobId, job, IGenerationOracle.Phase.Appeal);
        number += 1;
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        // A round that cannot be staffed would undo any verdict, and save whoever it slashes.
        require(job.poolSeats >= size, IGenerationOracle.PoolTooSmall(job.modelId, job.poolSeats, size));
        uint256 fee = job.escrowOf(number, size);

        _charge(msg.sender, fee);
        _books.appeals[jobId][number] = Appeal({appellant: msg.sender, paid: uint96(fee)});
        _books.rounds[jobId][FIRST].latest = number;

        _open(jobId, number, msg.sender);
    }

    function settle(IGenerationOracle.Job calldata job, IGenerationOracle.Round calldata round) external nonReentrant {
        bytes32 jobId = job.id();
        (IGenerationOracle.RoundState memory state, uint8 number) = _expect(jobId, job, IGenerationOracle.Phase.Settle);
        _checkRound(jobId, state, round);

        Settlements.Case memory it = Settlements.Case(jobId, job, number, _books.ballotOf(state, round.members));
        IGenerationOracle.Verdict memory verdict = _books.settle(_pools[job.modelId], it, round.members);
        _close(jobId, number, state, IGenerationOracle.Stage.Settled, verdict);

        emit IGenerationOracle.Settled(jobId, verdict);
    }

    function settleEarlier(
        IGenerationOracle.Job calldata job,
        IGenerationOracle.Round calldata round,
        IGenerationOracle.Verdict calldata verdict
    ) external nonReentrant {
        bytes32 jobId = job.id();
        uint8 number = round.number;
        require(_isFinal(jobId, verdict), IGenerationOracle.WrongVerdict(jobId));
        IGenerationOracle.RoundState memory state = _books.rounds[jobId][number];
        bool open = state.stage == IGenerationOracle.Stage.Opened || state.stage == IGenerationOracle.Stage.Drawn;
        bool due = open && _books.rounds[jobId][number + 1].stage == IGenerationOracle.Stage.Settled;
        require(due, IGenerationOracle.WrongPhase(IGenerationOracle.Phase.Settle));
        _checkRound(jobId, state, round);

        Settlements.Case memory it = Settlements.Case(jobId, job, number, _books.ballotOf(state, round.members));
        _books.settleEarlier(_pools[job.modelId], it, round.members, verdict);
        _close(jobId, number, state, IGenerationOracle.Stage.Settled, verdict);
    }

    function expire(IGenerationOracle.Job calldata job) external {
        bytes32 jobId = job.id();
        (IGenerationOracle.RoundState memory state,) = _expect(jobId, job, IGenerationOracle.Phase.Expired);
        IGenerationOracle.Verdict memory verdict;
        (verdict.outcome, verdict.round) = (IGenerationOracle.Outcome.Expired, FIRST);

        _close(jobId, FIRST, state, IGenerationOracle.Stage.Delivered, verdict);

        emit IGenerationOracle.Settled(jobId, verdict);
        _books.credit(job.requester, job.feeOf());
    }

    /// @dev The call is the last thing that happens: whatever the consumer does meanwhile, it finds the job delivered.
    function deliver(IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict) external {
        bytes32 jobId = job.id();
        address consumer = job.terms.consumer;
        IGenerationOracle.RoundState memory state = _books.rounds[jobId][FIRST];
        bool due = state.stage == IGenerationOracle.Stage.Settled && consumer != address(0);
        require(due, IGenerationOracle.NotDeliverable(jobId));
        require(_isFinal(jobId, verdict), IGenerationOracle.WrongVerdict(jobId));

        state.stage = IGenerationOracle.Stage.Delivered;
        _books.rounds[jobId][FIRST].write(state);
        _books.credit(msg.sender, job.deliverBounty());

        bytes memory data = abi.encodeCall(IGenerationConsumer.onVerdict, (jobId, job, verdict));
        emit IGenerationOracle.Delivered(jobId, consumer, _callOnce(consumer, job.terms.consumerGas, data));
    }

    /// @dev A call gets at most 63/64 of the gas that is left (EIP-150), silently; so it is checked to be there. What
    /// the consumer returns is not copied: it could be made as large as the rest of the gas.
    function _callOnce(address consumer, uint256 consumerGas, bytes memory data) private returns (bool success) {
        uint256 needed = consumerGas * 64 / 63 + CALL_GAS;
        require(gasleft() >= needed, IGenerationOracle.GasTooLow(gasleft(), needed));

        assembly ("memory-safe") {
            success := call(consumerGas, consumer, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }
}
