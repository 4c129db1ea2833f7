// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Protocol} from "../Protocol.t.sol";
import {Consumer, Refuser} from "./Receivers.t.sol";

/// @notice How a seat behaves in a round.
enum Actor {
    Honest,
    /// Answers without work: always the same.
    Lazy,
    /// Commits to what another has committed to.
    Copying,
    /// Alone, or with all other liars of the round.
    Lying,
    Silent,
    Declining,
    /// Commits and never reveals.
    Griefing
}

/// @notice Who takes part, and what each answers.
abstract contract Actors is Protocol {
    using Members for IGenerationOracle.Member;

    bytes32 internal constant LAZY = keccak256("nothing") & BITS;

    address[] public accounts;
    address internal refuser = address(new Refuser());
    address internal appellant = makeAddr("appellant");
    address internal keeper = makeAddr("keeper");
    address internal otherOperator = makeAddr("other operator");
    address internal goodConsumer = address(new Consumer());

    function setUp() public virtual override {
        super.setUp();
        address[7] memory known = [requester, refuser, appellant, keeper, modelOwner, otherOperator, address(this)];
        for (uint256 i; i < known.length; ++i) {
            accounts.push(known[i]);
            vm.deal(known[i], 1000 ether);
        }
    }

    function accountCount() internal view returns (uint256) {
        return accounts.length + stakes.poolOf(modelId).slots;
    }

    function accountAt(uint256 which) internal view returns (address) {
        return which < accounts.length ? accounts[which] : operatorOf(which - accounts.length);
    }

    function pick(uint256 which, bool left) internal view returns (bool, uint32) {
        uint32 slots = stakes.poolOf(modelId).slots;
        for (uint256 i; i < slots; ++i) {
            uint32 number = uint32(addmod(which, i, slots));
            IVerifierStakes.Seat memory seat = stakes.seatOf(modelId, number);
            if (seat.owner != address(0) && (seat.leftAt != 0) == left) return (true, number);
        }
        return (false, 0);
    }

    /// @dev A round is quiet, captured by liars, or mixed.
    function actorOf(bytes32 jobId, IGenerationOracle.Round memory round, uint256 member)
        internal
        pure
        returns (Actor)
    {
        uint256 mood = uint256(keccak256(abi.encode(jobId, round.number))) % 6;
        uint256 random = uint256(keccak256(abi.encode(jobId, round.number, member))) % 9;
        if (mood == 0) return random < 7 ? Actor.Honest : Actor.Griefing;
        if (mood == 1) return random < 7 ? Actor.Lying : Actor.Honest;
        return random < 3 ? Actor.Honest : Actor(random - 2);
    }

    function answerOf(bytes32 jobId, IGenerationOracle.Round memory round, uint256 member)
        internal
        pure
        returns (bytes32)
    {
        Actor actor = actorOf(jobId, round, member);
        uint256 random = uint256(keccak256(abi.encode(jobId, round.number, member, "answer")));
        if (actor == Actor.Lazy) return LAZY;
        if (actor == Actor.Honest || actor == Actor.Griefing) return flip(DIGEST, random % 4, (random >> 8) % 6);
        // Liars crowd the edges, or all say the same.
        uint256 plan = uint256(keccak256(abi.encode(jobId, round.number, "plan"))) % 3;
        if (plan == 0) return keccak256(abi.encode(jobId, "lie")) & BITS;
        return flip(DIGEST, plan == 1 ? 0 : random % 4, ACCEPT + (random >> 8) % 12);
    }
}
