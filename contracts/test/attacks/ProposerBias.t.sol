// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attack} from "./Attack.t.sol";

/// @notice Who proposes the last blocks before the seed may skip them, and has one more try for each. It is not prevented;
/// what it brings is bounded.
contract ProposerBiasTest is Attack {
    /// @dev A fifth of a pool of a hundred seats. Two tries at the first committee, and the fraud still has to get by an
    /// appeal, up to 31 seats.
    function test_proposerBias_doesNotReachTheLastRound() public view {
        uint256 first = lens.captureOdds(100, 20, 3, false);
        uint256 last = lens.captureOdds(100, 20, 31, false);

        assertLt(2 * first, 0.21e18);
        assertLt(2 * last, 0.0001e18);
    }
}
