// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Attack} from "./Attack.t.sol";

/// @notice The seed is public: seats come and go until it draws the committee that the attacker wants.
contract PoolSteeringTest is Attack {
    function setUp() public override {
        super.setUp();
        fillPool();
    }

    function testFuzz_poolSteering_changesNothing(uint256 moves) public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Round memory foretold = lens.drawOf(jobOf(jobId), header);

        steer(moves);
        draw(jobId);

        assertEq(abi.encode(roundOf(jobId).members), abi.encode(foretold.members));
    }

    /// @dev Nor does it help to flood the pool before an appeal.
    function test_poolSteering_doesNotReachTheAppeal() public {
        bytes32 jobId = requestAndDraw(3);
        enrol(50);
        pass(2 * SEAT_AGE);
        voteAll(jobId, FAKE);

        appeal(jobId, stranger);

        for (uint256 member; member < 7; ++member) {
            assertLt(seatAt(jobId, member), 25);
        }
    }

    function steer(uint256 moves) internal {
        for (uint32 seat; seat < 25; ++seat) {
            uint256 move = (moves >> (4 * seat)) % 4;
            pass(move == 3 ? 1 : 0);
            if (move == 0) enrol(1);
            if (move != 1) continue;
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }
    }
}
