// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Actor, Handler} from "./Handler.t.sol";

/// @notice What holds after any sequence of moves by anybody. Few but long runs: a job takes a dozen moves.
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 1500
contract InvariantsTest is Test {
    uint256 internal constant OFTEN = 20;

    Handler internal handler;

    function setUp() public {
        handler = new Handler();
        handler.setUp();

        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: moves()}));
    }

    /// @dev One function, so that one run of moves serves all of them.
    function invariant_holds() public view {
        assertEq(handler.held(), handler.owed(), "it holds what it owes, to the wei");
        assertTrue(handler.stakesAreRight(), "a seat has lost what was announced and covers its bonds");
        assertEq(handler.broken(), "");
    }

    /// @dev From every state each party gets what is his, and nothing is left. And the moves did reach everything.
    function afterInvariant() public {
        handler.drain();
        assertEq(handler.broken(), "");
        assertEq(handler.held(), 0, "nothing is stuck");

        for (uint8 actor; actor <= uint8(type(Actor).max); ++actor) {
            assertGe(handler.acted(Actor(actor)), OFTEN, string.concat("actor ", vm.toString(actor)));
        }
        for (uint8 phase = 1; phase <= uint8(type(IGenerationOracle.Phase).max); ++phase) {
            uint256 reached = handler.reached(IGenerationOracle.Phase(phase));
            assertGe(reached, OFTEN, string.concat("phase ", vm.toString(phase)));
        }
    }

    /// @dev The same moves reach all rounds, slashes and overturned verdicts.
    function test_handler_reachesTheFourthRound() public {
        vm.pauseGasMetering();
        bytes4[] memory all = moves();
        for (uint256 i; i < 1600; ++i) {
            uint256 random = uint256(keccak256(abi.encode(i)));
            bytes memory data = abi.encodePacked(all[random % all.length], abi.encode(random, random >> 128));
            (bool made,) = address(handler).call(data);
            assertTrue(made);
        }
        invariant_holds();
        for (uint8 number = 1; number <= 4; ++number) {
            assertGt(handler.rounds(number), 0, string.concat("round ", vm.toString(number)));
        }
        assertGt(handler.slashed(), 0);
        assertGt(handler.overturned(), 0);
        afterInvariant();
    }

    /// @dev Some twice, so that jobs come about faster than they are waited out.
    function moves() internal pure returns (bytes4[] memory all) {
        all = new bytes4[](14);
        all[0] = Handler.takeSeats.selector;
        all[1] = Handler.leavePool.selector;
        all[2] = Handler.withdrawStake.selector;
        all[3] = Handler.withdrawEarnings.selector;
        all[4] = Handler.changeOperator.selector;
        all[5] = all[6] = Handler.requestJob.selector;
        all[7] = all[8] = Handler.playAll.selector;
        all[9] = all[10] = Handler.play.selector;
        all[11] = Handler.withdrawBalance.selector;
        all[12] = Handler.meddle.selector;
        all[13] = Handler.wait.selector;
    }
}
