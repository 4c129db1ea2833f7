// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract WithdrawTest is Protocol {
    function test_withdraw_paysOutWhatIsCredited() public {
        uint256 credit = expired();

        vm.prank(requester);
        assertEq(oracle.withdraw(payable(stranger)), credit);

        assertEq(stranger.balance, credit);
        assertEq(oracle.creditOf(requester), 0);
        assertEq(address(oracle).balance, 0);
    }

    function test_withdraw_failsWithoutCredit() public {
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
        uint256 credit = expired();
        address payable wall = payable(address(new Wall()));

        vm.expectRevert(Errors.FailedCall.selector);
        vm.prank(requester);
        oracle.withdraw(wall);
        assertEq(oracle.creditOf(requester), credit);

        bytes32 jobId = decided(three(DIGEST, DIGEST, DIGEST));
        oracle.settle(jobId);
        address owner = ownerOf(oracle.votes(jobId)[0].seat);
        vm.prank(owner);
        oracle.withdraw(payable(owner));
    }

    function test_withdraw_cannotBeReentered() public {
        Thief thief = new Thief(oracle);
        vm.deal(address(thief), 3 * uint256(SHARE));
        thief.request(modelId, spec(), terms(3));
        request(3);
        pass(241);
        oracle.expire(thief.jobId());

        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        thief.steal();

        assertEq(address(oracle).balance, 6 * uint256(SHARE));
    }

    function expired() internal returns (uint256) {
        bytes32 jobId = request(3);
        pass(241);
        oracle.expire(jobId);
        return 3 * uint256(SHARE);
    }
}

contract Wall {}

contract Thief {
    IGenerationOracle private immutable ORACLE;
    bytes32 public jobId;

    constructor(IGenerationOracle oracle) {
        ORACLE = oracle;
    }

    function request(bytes32 modelId, IGenerationOracle.ImageSpec calldata spec, IGenerationOracle.Terms calldata terms)
        external
    {
        jobId = ORACLE.requestImage{value: address(this).balance}(modelId, spec, terms);
    }

    function steal() external {
        ORACLE.withdraw(payable(address(this)));
    }

    receive() external payable {
        ORACLE.withdraw(payable(address(this)));
    }
}
