// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice The contract whose code the oracle runs in its own place.
contract ExtensionTest is Protocol {
    address internal extension;
    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        extension = vm.computeCreateAddress(address(oracle), 1);
        jobId = decided(three(DIGEST, DIGEST, DIGEST));
    }

    /// @dev What is due at the oracle is not due at its extension, which knows of no job.
    function test_extension_doesNothingOnItsOwn() public {
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory round = roundOf(jobId);
        IGenerationOracle.Verdict memory verdict;
        refuse(abi.encodeCall(oracle.settle, (job, round)));
        refuse(abi.encodeCall(oracle.settleEarlier, (job, round, verdict)));
        refuse(abi.encodeCall(oracle.expire, (job)));
        refuse(abi.encodeCall(oracle.deliver, (job, verdict)));
        refuse(abi.encodeCall(oracle.appeal, (job)));

        vm.prank(requester);
        (bool done,) = extension.call{value: 1 ether}(abi.encodeCall(oracle.appeal, (job)));
        assertFalse(done);
        assertEq(extension.balance, 0);
        oracle.settle(job, round);
    }

    /// @dev It has no slots of its own that the oracle uses otherwise: a whole job leaves it as it was made.
    function test_extension_keepsNothing() public {
        vm.record();
        settle(jobId);
        (, bytes32[] memory written) = vm.accesses(extension);
        assertEq(written.length, 0);
        assertGt(extension.code.length, 0);
    }

    function refuse(bytes memory data) internal {
        (bool done,) = extension.call(data);
        assertFalse(done);
    }
}
