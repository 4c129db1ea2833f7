// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IRandomness} from "../../src/interfaces/IRandomness.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Disputes} from "../oracle/Disputes.t.sol";

contract DrawOfTest is Disputes {
    function testFuzz_drawOf_foretellsTheDraw(address drawer, uint8 size) public {
        bytes32 jobId = request(uint8(2 * bound(size, 1, 15) + 1));
        foretells(jobId, drawer);
    }

    function test_drawOf_foretellsTheDrawOfAnAppealRound() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appeal(jobId);
        foretells(jobId, stranger);
        assertEq(roundOf(jobId).number, 2);
    }

    function test_drawOf_failsOnceDrawn() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        bytes memory header = seed(jobId);
        draw(jobId);

        expectWrongPhase(IGenerationOracle.Phase.Draw);
        lens.drawOf(job, header);
    }

    function test_drawOf_failsWithAForgedProof() public {
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        seed(jobId);
        uint64 id = lens.roundOf(job).randomnessId;

        vm.expectRevert(abi.encodeWithSelector(IRandomness.WrongProof.selector, id));
        lens.drawOf(job, HeaderFixtures.encode(id, "chosen"));
    }

    function foretells(bytes32 jobId, address drawer) internal {
        IGenerationOracle.Job memory job = jobOf(jobId);
        bytes memory header = seed(jobId);
        bytes memory foretold = abi.encode(lens.drawOf(job, header));

        vm.recordLogs();
        vm.prank(drawer);
        oracle.draw(job, header);
        remember();

        assertEq(abi.encode(roundOf(jobId)), foretold);
    }
}
