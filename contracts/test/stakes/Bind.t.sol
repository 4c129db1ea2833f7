// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract BindTest is Protocol {
    function test_bind_takesBondsUntilTheStakeIsFullyBound() public {
        uint32[] memory seats = new uint32[](1);
        for (uint256 i; i < 8; ++i) {
            vm.prank(address(oracle));
            assertEq(stakes.bind(modelId, seats, BOND)[0], operatorOf(0));
        }

        vm.prank(address(oracle));
        assertEq(stakes.bind(modelId, seats, BOND)[0], address(0));

        assertEq(stakes.seatOf(modelId, 0).bonded, SEAT_STAKE);
    }

    function test_bind_failsForAnybodyButTheOracle() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotOracle.selector, stranger));
        vm.prank(stranger);
        stakes.bind(modelId, new uint32[](1), BOND);
    }

    function test_release_failsForAnybodyButTheOracle() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.NotOracle.selector, stranger));
        vm.prank(stranger);
        stakes.release("job", modelId, new IVerifierStakes.Penalty[](0));
    }
}
