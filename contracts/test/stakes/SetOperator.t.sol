// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Members} from "../../src/libraries/Members.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract SetOperatorTest is Protocol {
    using Members for IGenerationOracle.Member;

    function test_setOperator_servesLaterDraws() public {
        bytes32 jobId = request(3);
        for (uint32 seat; seat < 5; ++seat) {
            vm.expectEmit(address(stakes));
            emit IVerifierStakes.OperatorChanged(modelId, seat, stranger);
            vm.prank(ownerOf(seat));
            stakes.setOperator(modelId, seat, stranger);
        }

        draw(jobId);

        assertEq(roundOf(jobId).members[0].operator(), stranger);
    }

    function test_setOperator_failsForAnybodyButTheOwner() public {
        address operator = operatorOf(0);
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotSeatOwner.selector, modelId, 0, operator));
        vm.prank(operator);
        stakes.setOperator(modelId, 0, stranger);
    }

    function test_setOperator_failsWithoutAnOperator() public {
        vm.expectRevert(IVerifierStakes.EmptyOperator.selector);
        vm.prank(ownerOf(0));
        stakes.setOperator(modelId, 0, address(0));
    }

    function test_setOperator_failsForASeatThatIsNotThere() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NoSuchSeat.selector, modelId, 5));
        stakes.setOperator(modelId, 5, stranger);
    }
}
