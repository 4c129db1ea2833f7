// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice One who knows that a request is coming takes most of the pool's seats.
contract SybilTest is Attack {
    function test_sybil_isNotDrawnForTheRequestItWaitedFor() public {
        enrol(30);

        bytes32 jobId = requestAndDraw(3);

        for (uint256 member; member < 3; ++member) {
            assertLt(seatAt(jobId, member), 5);
        }
    }

    /// @dev Half the money is no seat, so that splitting does not multiply votes.
    function test_sybil_cannotTakeASeatForLess() public {
        vm.expectRevert();
        hoax(stranger, 10 ether);
        stakes.enrol{value: SEAT_STAKE / 2}(modelId, stranger);
    }
}
