// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Handler} from "./Handler.t.sol";

/// @notice What holds after any sequence of moves by anybody. Few but long runs: a job takes six moves.
/// forge-config: default.invariant.runs = 16
/// forge-config: default.invariant.depth = 128
contract InvariantsTest is Test {
    Handler internal handler;

    function setUp() public {
        handler = new Handler();
        handler.setUp();

        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: _moves()}));
    }

    /// @dev One function, so that one run of moves serves all of them.
    function invariant_holds() public view {
        solvent();
        seatsCoverTheirBonds();
        activeSeatsAreThoseInThePool();
        assertFalse(handler.wentBack(), "a phase moved backward");
        assertFalse(handler.deadlineMoved(), "a deadline moved");
        assertFalse(handler.closedChanged(), "a job that is over changed");
    }

    /// @dev The moves do reach every end that a job can have.
    function test_handler_reachesEveryOutcome() public {
        for (uint256 i; i < 1000; ++i) {
            uint256 random = uint256(keccak256(abi.encode(i)));
            (bool made,) =
                address(handler).call(abi.encodePacked(_moves()[random % 11], abi.encode(random, random >> 128)));
            assertTrue(made);
            if (i % 100 == 0) invariant_holds();
        }
        assertGt(handler.ended(IGenerationOracle.Outcome.Accepted), 0);
        assertGt(handler.ended(IGenerationOracle.Outcome.Unresolved), 0);
        assertGt(handler.ended(IGenerationOracle.Outcome.Expired), 0);
        invariant_holds();
    }

    /// @dev What each contract holds is exactly what it owes.
    function solvent() internal view {
        assertEq(address(handler.theOracle()).balance, handler.openFees() + handler.credits());
        assertEq(address(handler.theStakes()).balance, stakesOwed());
    }

    /// @dev A seat's bonds are those of its open jobs, and all of them can be paid at once.
    function seatsCoverTheirBonds() internal view {
        (IVerifierStakes stakes, bytes32 modelId) = (handler.theStakes(), handler.theModel());
        uint256[] memory bonds = handler.bonds();
        for (uint32 seat; seat < bonds.length; ++seat) {
            IVerifierStakes.Seat memory held = stakes.seatOf(modelId, seat);
            assertEq(held.bonded, bonds[seat]);
            assertGe(held.stake, held.bonded);
        }
    }

    function activeSeatsAreThoseInThePool() internal view {
        (IVerifierStakes stakes, bytes32 modelId) = (handler.theStakes(), handler.theModel());
        uint256 active;
        for (uint32 seat; seat < stakes.slotCount(modelId); ++seat) {
            IVerifierStakes.Seat memory held = stakes.seatOf(modelId, seat);
            if (held.owner != address(0) && held.leftAt == 0) ++active;
        }
        assertEq(stakes.activeSeats(modelId), active);
    }

    function stakesOwed() internal view returns (uint256 sum) {
        (IVerifierStakes stakes, bytes32 modelId) = (handler.theStakes(), handler.theModel());
        for (uint32 seat; seat < stakes.slotCount(modelId); ++seat) {
            sum += stakes.seatOf(modelId, seat).stake;
        }
    }

    function _moves() internal pure returns (bytes4[] memory moves) {
        moves = new bytes4[](11);
        moves[0] = Handler.takeSeat.selector;
        moves[1] = Handler.leavePool.selector;
        moves[2] = Handler.withdrawStake.selector;
        moves[3] = Handler.requestJob.selector;
        moves[4] = Handler.drawJob.selector;
        moves[5] = Handler.commitVotes.selector;
        moves[6] = Handler.revealVotes.selector;
        moves[7] = Handler.settleJob.selector;
        moves[8] = Handler.expireJob.selector;
        moves[9] = Handler.withdrawCredit.selector;
        moves[10] = Handler.wait.selector;
    }
}
