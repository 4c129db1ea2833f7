// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract SetOperatorTest is Protocol {
    function test_setOperator_servesLaterDraws() public {
        for (uint32 seat; seat < 5; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.setOperator(modelId, seat, stranger);
        }

        bytes32 jobId = requestAndDraw(3);

        assertEq(oracle.votes(jobId)[0].operator, stranger);
    }

    function test_setOperator_failsForAnybodyButTheOwner() public {
        address operator = operatorOf(0);
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 0, operator));
        vm.prank(operator);
        stakes.setOperator(modelId, 0, stranger);
    }

    function test_setOperator_failsWithoutAnOperator() public {
        address owner = ownerOf(0);
        vm.expectRevert(IVerifierStakes.EmptyOperator.selector);
        vm.prank(owner);
        stakes.setOperator(modelId, 0, address(0));
    }

    function test_setOperator_failsForASeatThatIsNotThere() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NoSuchSeat.selector, modelId, 5));
        stakes.setOperator(modelId, 5, stranger);
    }
}
