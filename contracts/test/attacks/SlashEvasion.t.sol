// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A seat takes its stake out before it can be slashed.
contract SlashEvasionTest is Attack {
    /// @dev It lies, and hopes that nobody settles for as long as it is unbonding.
    function test_slashEvasion_byLeavingBeforeTheSettlement() public {
        bytes32 jobId = requestAndDraw(3);
        uint32 seat = seatAt(jobId, 2);
        uint256 before = worth(seat) + worth(ownerOf(seat));
        leave(seat);
        vote(jobId, three(DIGEST, DIGEST, FAKE));

        pass(UNBONDING + 1);
        withdrawAll(seat);
        attempt(stranger, abi.encodeCall(oracle.settle, (jobOf(jobId), roundOf(jobId))));
        withdrawAll(seat);

        assertLe(worth(seat) + worth(ownerOf(seat)), before - BOND);
    }

    /// @dev It sees the seed, does not like to be drawn, and is gone.
    function test_slashEvasion_byLeavingBeforeTheDraw() public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        IGenerationOracle.Round memory foretold = lens.drawOf(jobOf(jobId), header);
        pass(1);
        for (uint32 seat; seat < 5; ++seat) {
            leave(seat);
            withdrawAll(seat);
        }

        draw(jobId);

        assertEq(abi.encode(roundOf(jobId).members), abi.encode(foretold.members));
    }

    function leave(uint32 seat) internal {
        vm.prank(ownerOf(seat));
        stakes.leavePool(modelId, seat);
    }

    function withdrawAll(uint32 seat) internal {
        address owner = ownerOf(seat);
        attempt(owner, abi.encodeCall(stakes.withdrawStake, (modelId, seat, payable(owner))));
    }
}
