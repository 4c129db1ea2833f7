// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Attack} from "./Attack.t.sol";

/// @notice The block of the seed is replaced after an operator has generated from its noise. Its commitment is mined all the
/// same.
contract ReorgTest is Attack {
    using Members for IGenerationOracle.Member;

    address internal operator = makeAddr("operator of all seats");

    function setUp() public override {
        super.setUp();
        for (uint32 seat; seat < 5; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.setOperator(modelId, seat, operator);
        }
    }

    function test_reorg_slashesNobody() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        IGenerationOracle.Round memory answered = lens.drawOf(job, seed(jobId));
        uint64 id = lens.roundOf(job).randomnessId;
        bytes memory header = HeaderFixtures.encode(id, "another fork");
        vm.setBlockhash(id, keccak256(header));

        bytes32 hash = oracle.commitmentOf(jobId, 1, answered.members[0].seat(), openingOf(jobId, 0, FAKE));
        vm.recordLogs();
        bool bound = attempt(operator, abi.encodeCall(oracle.drawAndCommit, (job, header, answered, 0, hash)));
        if (!bound) oracle.draw(job, header);
        remember();
        uint256 before = worthOf(jobId, 0);
        carryOn(jobId);

        assertGe(worthOf(jobId, 0), before + SHARE);
    }
}
