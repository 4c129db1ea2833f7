// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IGenerationConsumer} from "../../src/interfaces/IGenerationConsumer.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A consumer that burns its gas, reverts with a megabyte, or calls back; and a keeper that starves it.
contract CallbackBombTest is Attack {
    uint32 internal constant GAS = 500_000;
    Consumer internal consumer;

    function setUp() public override {
        super.setUp();
        consumer = new Consumer();
    }

    function test_callbackBomb_doesNotKeepTheKeeperFromItsBounty() public {
        for (uint8 mode; mode <= uint8(Consumer.Mode.Burn); ++mode) {
            (IGenerationOracle.Job memory job, IGenerationOracle.Verdict memory verdict) = settled();
            consumer.become(Consumer.Mode(mode));
            uint256 rich = worth(stranger);

            vm.prank(stranger);
            oracle.deliver{gas: 900_000}(job, verdict);

            assertGt(worth(stranger), rich);
        }
    }

    function test_callbackBomb_cannotDeliverAgain() public {
        (IGenerationOracle.Job memory job, IGenerationOracle.Verdict memory verdict) = settled();
        consumer.become(Consumer.Mode.Reenter);

        oracle.deliver(job, verdict);
        attempt(stranger, abi.encodeCall(oracle.deliver, (job, verdict)));

        assertEq(worth(address(consumer)), 0);
        assertEq(consumer.calls(), 1);
    }

    /// @dev With too little gas for the consumer the keeper gets nothing, and somebody else may deliver.
    function test_callbackBomb_cannotBeStarved() public {
        (IGenerationOracle.Job memory job, IGenerationOracle.Verdict memory verdict) = settled();
        consumer.become(Consumer.Mode.Work);
        for (uint256 gas = 100_000; consumer.calls() == 0; gas += 10_000) {
            uint256 rich = worth(stranger);
            vm.prank(stranger);
            (bool done,) = address(oracle).call{gas: gas}(abi.encodeCall(oracle.deliver, (job, verdict)));
            assertEq(worth(stranger) > rich, done);
            assertEq(consumer.calls() > 0, done);
        }
    }

    function settled() internal returns (IGenerationOracle.Job memory job, IGenerationOracle.Verdict memory verdict) {
        IGenerationOracle.Terms memory of_ = terms(3);
        (of_.consumer, of_.consumerGas) = (address(consumer), GAS);
        bytes32 jobId = request(of_);
        draw(jobId);
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        verdict = finish(jobId);
        job = jobOf(jobId);
    }
}

contract Consumer is IGenerationConsumer {
    enum Mode {
        Work,
        Revert,
        Burn,
        Reenter
    }

    uint256 internal constant WORK = 480_000;

    uint256 public calls;
    Mode internal _mode;

    function become(Mode mode) external {
        _mode = mode;
    }

    /// @dev What it needs is nearly all that it asked for.
    function onVerdict(bytes32, IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict)
        external
    {
        if (_mode == Mode.Revert) revert(string(new bytes(50_000)));
        while (_mode == Mode.Burn) {}
        if (_mode == Mode.Work) require(gasleft() > WORK, "starved");

        ++calls;
        if (_mode != Mode.Reenter || calls > 3) return;
        (bool ignored,) = msg.sender.call(abi.encodeCall(IGenerationOracle.deliver, (job, verdict)));
        ignored;
    }
}
