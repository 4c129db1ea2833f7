// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract WithdrawTest is Protocol {
    function test_withdraw_paysTheBalanceOut() public {
        uint256 fee = expired();

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Withdrawn(requester, stranger, fee);
        vm.prank(requester);
        assertEq(oracle.withdraw(payable(stranger)), fee);

        assertEq(stranger.balance, fee);
        assertEq(oracle.balanceOf(requester), 0);
        assertEq(address(oracle).balance, 5 * uint256(SEAT_STAKE));
    }

    function test_withdraw_leavesTheNonceAlone() public {
        expired();
        vm.prank(requester);
        oracle.withdraw(payable(requester));
        assertEq(oracle.nonceOf(requester), 1);
    }

    function test_withdraw_failsWithoutABalance() public {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NothingToWithdraw.selector, stranger));
        vm.prank(stranger);
        oracle.withdraw(payable(stranger));
    }

    function test_withdraw_failsTwice() public {
        expired();
        vm.startPrank(requester);
        oracle.withdraw(payable(requester));

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NothingToWithdraw.selector, requester));
        oracle.withdraw(payable(requester));
    }

    function test_withdraw_toARevertingReceiverLosesNothingAndBlocksNobody() public {
        uint256 fee = expired();
        address payable wall = payable(address(new Wall()));

        vm.expectRevert(Errors.FailedCall.selector);
        vm.prank(requester);
        oracle.withdraw(wall);
        assertEq(oracle.balanceOf(requester), fee);

        settle(decided(three(DIGEST, DIGEST, DIGEST)));
        oracle.withdraw(payable(stranger));
    }

    /// @dev A wall in every role: owner, operator, drawer, requester and keeper.
    function test_withdraw_isTheOnlyThingThatAWallBlocks() public {
        Wall wall = new Wall();
        vm.deal(address(wall), 10 ether);
        wall.send{value: 0}(address(oracle), 1 ether, abi.encodeCall(IGenerationOracle.deposit, ()));
        for (uint256 i; i < 5; ++i) {
            bytes memory enrolment = abi.encodeCall(IVerifierStakes.enrol, (modelId, operatorOf(i)));
            wall.send(address(oracle), SEAT_STAKE, enrolment);
        }
        pass(2 * SEAT_AGE);

        bytes32 jobId = requestAndDraw(5);
        closeAppeals(jobId);
        wall.send(address(oracle), 0, abi.encodeCall(IGenerationOracle.settle, (jobOf(jobId), roundOf(jobId))));

        assertPhase(jobId, IGenerationOracle.Phase.Settled);
        assertGt(oracle.balanceOf(address(wall)), 1 ether);
    }

    function test_withdraw_cannotBeReentered() public {
        Thief thief = new Thief(oracle);
        thief.deposit{value: 1 ether}();
        uint256 before = address(oracle).balance;

        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        thief.steal();

        assertEq(address(oracle).balance, before);
        assertEq(oracle.balanceOf(address(thief)), 1 ether);
    }

    function expired() internal returns (uint256) {
        bytes32 jobId = request(3);
        pass(60);
        oracle.expire(jobOf(jobId));
        return oracle.balanceOf(requester);
    }
}

/// @notice Takes no money.
contract Wall {
    function send(address to, uint256 value, bytes calldata data) external payable {
        (bool success,) = to.call{value: value}(data);
        require(success, "failed");
    }
}

contract Thief {
    IGenerationOracle private immutable ORACLE;

    constructor(IGenerationOracle oracle) {
        ORACLE = oracle;
    }

    function deposit() external payable {
        ORACLE.deposit{value: msg.value}();
    }

    function steal() external {
        ORACLE.withdraw(payable(address(this)));
    }

    receive() external payable {
        ORACLE.withdraw(payable(address(this)));
    }
}
