// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Rounds} from "../../src/libraries/Rounds.sol";
import {Members} from "../../src/libraries/Members.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Attack} from "./Attack.t.sol";

/// @notice The proposer of the request's block knows the next block's RANDAO (EIP-4399), and tries requests until the
/// committee is its own.
contract LotteryGrindingTest is Attack {
    using Members for IGenerationOracle.Member;

    bytes32 internal constant KNOWN = keccak256("the mix that the proposer of the request's block knows");

    function setUp() public override {
        super.setUp();
        enrol(7);
        pass(2 * SEAT_AGE);
    }

    /// @dev Seats 0 and 1, two of twelve, are the attacker's.
    function test_lotteryGrinding_doesNotChooseTheCommittee() public {
        uint256 nextBlock = vm.getBlockNumber() + 1;
        bytes32 jobId = grind();

        bytes memory header = seed(jobId);
        uint64 id = lens.roundOf(jobOf(jobId)).randomnessId;
        if (id == nextBlock) header = HeaderFixtures.encode(id, KNOWN);
        vm.setBlockhash(id, keccak256(header));
        IGenerationOracle.Round memory drawn = lens.drawOf(jobOf(jobId), header);

        assertLt(attackers(drawn.members), 2);
    }

    function grind() internal returns (bytes32 jobId) {
        while (true) {
            uint256 before = vm.snapshotState();
            jobId = request(3);
            IGenerationOracle.Job memory job = jobOf(jobId);
            bytes32 drawSeed = Rounds.drawSeed(KNOWN, jobId, 1);
            bytes32[] memory drawn = stakes.committee(modelId, drawSeed, job.poolSlots, job.requestedAt, 3);
            if (attackers(Members.wrap(drawn)) >= 2) return jobId;
            vm.revertToState(before);
            request(3);
        }
    }

    function attackers(IGenerationOracle.Member[] memory members) internal pure returns (uint256 count) {
        for (uint256 i; i < members.length; ++i) {
            if (members[i].seat() < 2) ++count;
        }
    }
}
