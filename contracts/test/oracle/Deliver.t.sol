// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationConsumer} from "../../src/interfaces/IGenerationConsumer.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "./Disputes.t.sol";

contract DeliverTest is Disputes {
    uint32 internal constant GAS = 100_000;

    function test_deliver_callsTheConsumerWithTheVerdict() public {
        Recorder recorder = new Recorder();
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(recorder), GAS);
        IGenerationOracle.Job memory job = jobOf(jobId);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Delivered(jobId, address(recorder), true);
        vm.prank(stranger);
        oracle.deliver(job, verdict);

        assertEq(recorder.sender(), address(oracle));
        assertEq(recorder.data(), keccak256(abi.encodeCall(IGenerationConsumer.onVerdict, (jobId, job, verdict))));
        assertTrue(oracle.isFinal(jobId, verdict));
        assertEq(uint8(oracle.stateOf(jobId, 1).stage), uint8(IGenerationOracle.Stage.Delivered));
    }

    function test_deliver_paysTheSender() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(new Recorder()), GAS);
        IGenerationOracle.Job memory job = jobOf(jobId);

        vm.prank(stranger);
        oracle.deliver(job, verdict);

        uint256 bounty = (80_000 + uint256(GAS)) * GAS_PRICE;
        assertEq(oracle.balanceOf(stranger), bounty);
        vm.prank(stranger);
        oracle.withdraw(payable(stranger));
        assertSolvent();
    }

    function test_deliver_happensOnce() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(new Recorder()), GAS);
        oracle.deliver(jobOf(jobId), verdict);
        fails(jobId, verdict, IGenerationOracle.NotDeliverable.selector);
    }

    // ------------------------------------------------------------------------------------------------------ the consumers

    function test_deliver_isNotStoppedByAConsumerThatReverts() public {
        check(address(new Refuser()), GAS, 400_000, false);
    }

    function test_deliver_isNotStoppedByAConsumerThatBurnsItsGas() public {
        check(address(new Burner()), 500_000, 700_000, false);
    }

    /// @dev What it returns would cost more to copy than there is.
    function test_deliver_isNotStoppedByAConsumerThatReturnsTooMuch() public {
        check(address(new Bomber()), 500_000, 700_000, true);
    }

    function test_deliver_isNotStoppedByAConsumerWithoutCode() public {
        check(makeAddr("nobody"), 0, 200_000, true);
    }

    function test_deliver_cannotBeReentered() public {
        Returner returner = new Returner(oracle);
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(returner), 500_000);

        oracle.deliver(jobOf(jobId), verdict);

        assertEq(returner.calls(), 1);
        bytes memory refusal = abi.encodeWithSelector(IGenerationOracle.NotDeliverable.selector, jobId);
        assertEq(returner.refusal(), refusal);
        assertEq(oracle.balanceOf(address(returner)), 0);
    }

    function check(address consumer, uint32 gas_, uint256 sent, bool success) internal {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(consumer, gas_);
        IGenerationOracle.Job memory job = jobOf(jobId);

        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Delivered(jobId, consumer, success);
        vm.prank(stranger);
        oracle.deliver{gas: sent}(job, verdict);

        assertEq(oracle.balanceOf(stranger), (80_000 + uint256(gas_)) * GAS_PRICE);
    }

    // ------------------------------------------------------------------------------------------------------------ the gas

    /// @dev Whatever the sender leaves, either nothing happens or the consumer has what it asked for.
    function testFuzz_deliver_givesTheConsumerItsGasOrFails(uint256 sent) public {
        Gauge gauge = new Gauge();
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(gauge), 200_000);
        IGenerationOracle.Job memory job = jobOf(jobId);
        sent = bound(sent, 30_000, 500_000);

        try oracle.deliver{gas: sent}(job, verdict) {
            assertGt(gauge.measured(), 200_000 - 200);
        } catch {
            assertEq(gauge.measured(), 0);
            assertEq(uint8(oracle.stateOf(jobId, 1).stage), uint8(IGenerationOracle.Stage.Settled));
            oracle.deliver(job, verdict);
        }
    }

    function test_deliver_failsWithTooLittleGas() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(new Recorder()), 500_000);
        IGenerationOracle.Job memory job = jobOf(jobId);

        vm.expectPartialRevert(IGenerationOracle.GasTooLow.selector);
        oracle.deliver{gas: 500_000}(job, verdict);
    }

    // ---------------------------------------------------------------------------------------------------------- refusals

    function test_deliver_failsWithoutAConsumer() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(0), 0);
        fails(jobId, verdict, IGenerationOracle.NotDeliverable.selector);
    }

    function test_deliver_failsBeforeTheJobIsSettled() public {
        bytes32 jobId = request(called(address(new Recorder()), GAS));
        draw(jobId);
        vote(jobId, all(3, DIGEST));
        closeAppeals(jobId);
        IGenerationOracle.Verdict memory verdict;
        fails(jobId, verdict, IGenerationOracle.NotDeliverable.selector);
    }

    function test_deliver_failsUntilTheFirstRoundIsSettled() public {
        bytes32 jobId = request(called(address(new Recorder()), GAS));
        draw(jobId);
        vote(jobId, all(3, far));
        appealTo(jobId, DIGEST);
        closeAppeals(jobId);
        keep(jobId);
        vm.recordLogs();
        settle(jobId);
        IGenerationOracle.Verdict memory verdict = note();
        fails(jobId, verdict, IGenerationOracle.NotDeliverable.selector);

        oracle.settleEarlier(jobOf(jobId), drawn(jobId, 1), verdict);
        oracle.deliver(jobOf(jobId), verdict);
    }

    function test_deliver_failsIfExpired() public {
        bytes32 jobId = request(called(address(new Recorder()), GAS));
        pass(60);
        oracle.expire(jobOf(jobId));
        IGenerationOracle.Verdict memory verdict;
        (verdict.outcome, verdict.round) = (IGenerationOracle.Outcome.Expired, 1);
        fails(jobId, verdict, IGenerationOracle.NotDeliverable.selector);
    }

    function test_deliver_failsWithAnotherVerdict() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(new Recorder()), GAS);
        verdict.digest = far;
        fails(jobId, verdict, IGenerationOracle.WrongVerdict.selector);
    }

    function test_deliver_failsForAJobThatWasNeverPaid() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = finished(address(new Recorder()), GAS);
        IGenerationOracle.Job memory job = jobOf(jobId);
        job.terms.consumer = stranger;
        bytes32 other = oracle.idOf(job);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NotDeliverable.selector, other));
        oracle.deliver(job, verdict);
    }

    function called(address consumer, uint32 gas_) internal pure returns (IGenerationOracle.Terms memory of_) {
        of_ = terms(3);
        (of_.consumer, of_.consumerGas) = (consumer, gas_);
    }

    function finished(address consumer, uint32 gas_)
        internal
        returns (bytes32 jobId, IGenerationOracle.Verdict memory verdict)
    {
        jobId = request(called(consumer, gas_));
        draw(jobId);
        vote(jobId, all(3, DIGEST));
        verdict = conclude(jobId);
    }

    function fails(bytes32 jobId, IGenerationOracle.Verdict memory verdict, bytes4 error_) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(error_, jobId));
        oracle.deliver(job, verdict);
    }
}

contract Recorder {
    address public sender;
    bytes32 public data;

    fallback() external {
        (sender, data) = (msg.sender, keccak256(msg.data));
    }
}

contract Gauge {
    uint256 public measured;

    fallback() external {
        measured = gasleft();
    }
}

contract Refuser {
    fallback() external {
        revert("no");
    }
}

contract Burner {
    fallback() external {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

contract Bomber {
    fallback() external {
        assembly {
            return(0, 440000)
        }
    }
}

/// @notice Delivers again what it is delivered.
contract Returner is IGenerationConsumer {
    IGenerationOracle private immutable ORACLE;
    uint256 public calls;
    bytes public refusal;

    constructor(IGenerationOracle oracle) {
        ORACLE = oracle;
    }

    function onVerdict(bytes32, IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict)
        external
    {
        ++calls;
        try ORACLE.deliver(job, verdict) {}
        catch (bytes memory reason) {
            refusal = reason;
        }
    }
}
