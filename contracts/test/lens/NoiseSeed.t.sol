// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract NoiseSeedTest is Protocol {
    function testFuzz_noiseSeed_mixesTheFirstDrawIntoTheSpecsSeed(bytes32 drawSeed) public {
        IGenerationOracle.Job memory job = jobOf(request(3));
        assertEq(lens.noiseSeed(job, drawSeed), keccak256(abi.encode(spec().seed, drawSeed)));
    }

    function testFuzz_noiseSeed_leavesAFixedSeedAlone(bytes32 drawSeed) public {
        IGenerationOracle.Terms memory fixed_ = terms(3);
        fixed_.fixedSeed = true;
        assertEq(lens.noiseSeed(jobOf(request(fixed_)), drawSeed), spec().seed);
    }
}
