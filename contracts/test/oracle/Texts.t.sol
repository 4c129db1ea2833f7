// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "./Disputes.t.sol";

/// @notice Jobs of a model that writes: they go the way of pictures, but that digests are equal or grey.
abstract contract Texts is Disputes {
    function setUp() public virtual override {
        super.setUp();
        vm.prank(modelOwner);
        modelId = models.register(writer(), "writer");
        enrol(25);
        pass(2 * SEAT_AGE);
    }

    function requestText() internal returns (bytes32 jobId) {
        uint256 fee = lens.quoteText(modelId, text(), terms(3)).fee;
        vm.recordLogs();
        vm.prank(requester);
        jobId = oracle.requestText{value: fee}(modelId, text(), terms(3));
        remember();
    }
}
