// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice The hypergeometric distribution: drawing without replacement.
library Odds {
    uint256 private constant ONE = 1e18;
    /// @dev Digits that are dropped at the end.
    uint256 private constant SPARE = 1e18;

    error BadPool(uint256 pool, uint256 marked, uint256 drawn);

    /// @notice The chance, in 1e-18, that at least `least` of `drawn` seats are among the `marked` ones of `pool`.
    function atLeast(uint256 least, uint256 drawn, uint256 marked, uint256 pool) internal pure returns (uint256 odds) {
        require(marked <= pool && drawn <= pool && drawn < 64, BadPool(pool, marked, drawn));
        for (uint256 k = least; k <= drawn; ++k) {
            odds += exactly(k, drawn, marked, pool);
        }
        odds /= SPARE;
    }

    /// @dev C(drawn, k) times the chance that the first k are marked and the others are not.
    function exactly(uint256 k, uint256 drawn, uint256 marked, uint256 pool) private pure returns (uint256 odds) {
        if (k > marked || drawn - k > pool - marked) return 0;
        odds = ONE * SPARE;
        for (uint256 i; i < drawn; ++i) {
            uint256 good = i < k ? marked - i : pool - marked - (i - k);
            odds = Math.mulDiv(odds, good, pool - i);
            if (i < k) odds = Math.mulDiv(odds, drawn - i, i + 1);
        }
    }
}
