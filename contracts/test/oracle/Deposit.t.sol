// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract DepositTest is Protocol {
    function testFuzz_deposit_addsToTheCallersBalance(uint96 first, uint96 second) public {
        vm.deal(stranger, uint256(first) + second);
        vm.startPrank(stranger);
        oracle.deposit{value: first}();

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Deposited(stranger, second);
        oracle.deposit{value: second}();

        assertEq(oracle.balanceOf(stranger), uint256(first) + second);
        assertEq(oracle.balanceOf(requester), 0);
        assertEq(address(oracle).balance, 5 * uint256(SEAT_STAKE) + first + second);
    }

    function test_deposit_isTheOnlyWayToSendMoney() public {
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        (bool sent,) = address(oracle).call{value: 1}("");
        assertFalse(sent);
    }
}
