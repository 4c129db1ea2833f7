// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IGenerationOracle} from "./interfaces/IGenerationOracle.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {Rounds} from "./libraries/Rounds.sol";
import {Pool} from "./libraries/Seats.sol";
import {Account, Books} from "./libraries/Settlements.sol";

/// @notice What both halves of the oracle keep and read: `GenerationOracle`, which is called, and `OracleExtension`,
/// whose code runs in the first one's place. All storage that both touch is declared here, and so lies in the same
/// slots.
abstract contract OracleBase is ReentrancyGuardTransient {
    using Rounds for IGenerationOracle.RoundState;
    using Rounds for IGenerationOracle.Verdict;

    uint8 internal constant FIRST = 1;

    IRandomness internal immutable RANDOMNESS;
    uint32 internal immutable DRAW_WINDOW;
    uint32 internal immutable REVEAL_WINDOW;

    Books internal _books;
    mapping(bytes32 modelId => Pool) internal _pools;

    constructor(IRandomness randomness_, IGenerationOracle.Windows memory windows_) {
        (RANDOMNESS, DRAW_WINDOW, REVEAL_WINDOW) = (randomness_, windows_.draw, windows_.reveal);
    }

    // --------------------------------------------------------------------------------------------------------- the money

    /// @dev Takes a fee out of an account, to which what was sent is added first.
    /// @return nonce the account's, which is then raised
    function _charge(address payer, uint256 fee) internal returns (uint128 nonce) {
        Account memory account = _books.accounts[payer];
        uint256 balance = account.balance + msg.value;
        require(balance >= fee, IGenerationOracle.BalanceTooSmall(payer, balance, fee));

        nonce = account.nonce;
        _books.accounts[payer] = Account({balance: uint128(balance - fee), nonce: nonce + 1});
    }

    // -------------------------------------------------------------------------------------------------------- the rounds

    /// @dev Makes a round wait for randomness that nobody knows yet.
    function _open(bytes32 jobId, uint8 number, address payer) internal {
        IGenerationOracle.RoundState memory state;
        uint64 id = RANDOMNESS.next();
        (state.stage, state.hash) = (IGenerationOracle.Stage.Opened, bytes17(uint136(id)));
        state.clock = uint40(block.timestamp) + DRAW_WINDOW;
        if (number == FIRST) state.latest = FIRST;

        _books.rounds[jobId][number].write(state);

        emit IGenerationOracle.Opened(jobId, number, payer, id, state.clock);
    }

    function _close(
        bytes32 jobId,
        uint8 number,
        IGenerationOracle.RoundState memory state,
        IGenerationOracle.Stage stage,
        IGenerationOracle.Verdict memory verdict
    ) internal {
        (state.stage, state.hash) = (stage, verdict.hashOf(jobId));
        _books.rounds[jobId][number].write(state);
    }

    function _latest(bytes32 jobId) internal view returns (IGenerationOracle.RoundState memory state, uint8 number) {
        state = _books.rounds[jobId][FIRST];
        number = state.latest;
        if (number > FIRST) state = _books.rounds[jobId][number];
    }

    /// @return state the latest round's, as `number` is
    function _expect(bytes32 jobId, IGenerationOracle.Job calldata job, IGenerationOracle.Phase expected)
        internal
        view
        returns (IGenerationOracle.RoundState memory state, uint8 number)
    {
        (state, number) = _latest(jobId);
        bool due = state.phase(REVEAL_WINDOW, job.appealWindow, number) == expected;
        require(due, IGenerationOracle.WrongPhase(expected));
    }

    /// @dev A round that was never drawn has nothing to be checked against.
    function _checkRound(
        bytes32 jobId,
        IGenerationOracle.RoundState memory state,
        IGenerationOracle.Round calldata round
    ) internal pure {
        if (state.stage != IGenerationOracle.Stage.Drawn) return;
        require(state.hash == Rounds.hashOfDrawn(round), IGenerationOracle.WrongRound(jobId, round.number));
    }

    function _isFinal(bytes32 jobId, IGenerationOracle.Verdict calldata verdict) internal view returns (bool) {
        (IGenerationOracle.RoundState memory state,) = _latest(jobId);
        return state.stage >= IGenerationOracle.Stage.Settled && state.hash == verdict.hashOf(jobId);
    }
}
