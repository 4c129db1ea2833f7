// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Odds} from "../../src/libraries/Odds.sol";

contract OddsTest is Test {
    /// @dev Against whole binomials, which fit into a word for small pools.
    function testFuzz_atLeast_isTheHypergeometricDistribution(uint256 least, uint256 size, uint256 marked, uint256 pool)
        public
        pure
    {
        pool = bound(pool, 1, 80);
        marked = bound(marked, 0, pool);
        size = bound(size, 0, pool < 31 ? pool : 31);
        least = bound(least, 0, size);

        uint256 ways;
        for (uint256 k = least; k <= size; ++k) {
            ways += choose(marked, k) * choose(pool - marked, size - k);
        }
        uint256 expected = ways * 1e18 / choose(pool, size);

        assertApproxEqAbs(Odds.atLeast(least, size, marked, pool), expected, 10);
    }

    function testFuzz_atLeast_noneIsCertain(uint256 size, uint256 marked, uint256 pool) public pure {
        pool = bound(pool, 1, type(uint128).max);
        marked = bound(marked, 0, pool);
        size = bound(size, 0, pool < 31 ? pool : 31);
        assertApproxEqAbs(Odds.atLeast(0, size, marked, pool), 1e18, 10);
    }

    /// @dev Row by row of Pascal's triangle, without a division.
    function choose(uint256 n, uint256 k) internal pure returns (uint256) {
        if (k > n) return 0;
        uint256[] memory row = new uint256[](k + 1);
        row[0] = 1;
        for (uint256 i = 1; i <= n; ++i) {
            for (uint256 j = k < i ? k : i; j > 0; --j) {
                row[j] += row[j - 1];
            }
        }
        return row[k];
    }
}
