// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Disputes} from "./Disputes.t.sol";

contract ViewsTest is Disputes {
    function testFuzz_idOf_bindsChainContractAndJob(uint64 chain, address requester_, uint128 nonce) public {
        IGenerationOracle.Job memory job = jobOf(request(3));
        (job.requester, job.nonce) = (requester_, nonce);
        vm.chainId(bound(chain, 1, type(uint64).max - 1));
        bytes32 here = keccak256(abi.encode(block.chainid, address(oracle), job));
        assertEq(oracle.idOf(job), here);

        oracle = deployOracle(devnet(), SEAT_AGE, UNBONDING);
        assertNotEq(oracle.idOf(job), here);
    }

    function testFuzz_commitmentOf_bindsChainContractAndEveryPart(
        bytes32 jobId,
        uint8 number,
        uint32 seat,
        IGenerationOracle.Opening memory opening
    ) public {
        bytes32 here = oracle.commitmentOf(jobId, number, seat, opening);
        assertEq(
            here,
            keccak256(
                abi.encode(
                    block.chainid,
                    address(oracle),
                    jobId,
                    uint256(number),
                    uint256(seat),
                    opening.digest,
                    opening.contentHash,
                    opening.salt
                )
            )
        );

        vm.chainId(1);
        assertNotEq(oracle.commitmentOf(jobId, number, seat, opening), here);
    }

    function test_stateOf_isEmptyForARoundThatNeverWas() public {
        bytes32 jobId = request(3);
        IGenerationOracle.RoundState memory none;
        assertEq(abi.encode(oracle.stateOf(jobId, 2)), abi.encode(none));
        assertEq(abi.encode(oracle.stateOf("none", 1)), abi.encode(none));
    }

    function test_isFinal_onlyOnceTheLastRoundIsSettled() public {
        bytes32 jobId = judged(all(3, far));
        IGenerationOracle.Verdict memory empty;
        assertFalse(oracle.isFinal(jobId, empty));
        assertFalse(oracle.isFinal("none", empty));
        appealTo(jobId, DIGEST);

        IGenerationOracle.Verdict memory verdict = conclude(jobId);

        assertTrue(oracle.isFinal(jobId, verdict));
        assertFalse(oracle.isFinal(jobId, empty));
        assertFalse(oracle.isFinal("none", verdict));
    }

    function test_appealOf_isEmptyForAFirstRound() public {
        bytes32 jobId = request(3);
        (address by, uint96 paid) = oracle.appealOf(jobId, 1);
        assertEq(by, address(0));
        assertEq(paid, 0);
    }

    function test_nonceOf_countsRequestsAndAppeals() public {
        bytes32 jobId = judged(all(3, DIGEST));
        appeal(jobId);
        assertEq(oracle.nonceOf(requester), 1);
        assertEq(oracle.nonceOf(appellant), 1);
    }
}
