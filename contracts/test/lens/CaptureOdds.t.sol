// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Odds} from "../../src/libraries/Odds.sol";
import {Protocol} from "../Protocol.t.sol";

contract CaptureOddsTest is Protocol {
    /// @dev A pool so large that drawing without replacement is drawing with it: the table of docs/SECURITY.md.
    function test_captureOdds_ofALargePoolAreTheBinomialOnes() public view {
        assertFifth(3, 0.104e18);
        assertFifth(5, 0.05792e18);
        assertFifth(7, 0.033344e18);
        assertFifth(15, 0.004239749709824e18);
        assertFifth(31, 88_154_952_028_296);
    }

    function test_captureOdds_ofAThird() public view {
        assertLarge(3, 3, 0.259259259259259259e18);
        assertLarge(3, 5, 0.209876543209876543e18);
        assertLarge(3, 7, 0.173296753543667124e18);
        assertLarge(3, 31, 0.027024092727195e18);
    }

    function test_captureOdds_ofASmallPoolAreExact() public view {
        // Both of two among three of ten: 8 of 120 draws.
        assertOdds(10, 2, 3, false, uint256(1e18) / 15);
        // Two or three of three of five: 7 of 10 draws.
        assertOdds(5, 3, 3, false, 0.7e18);
        // Four or five of six, five of seven: 15 and 6 of 21 draws.
        assertOdds(7, 6, 5, true, 1e18);
        // Four of the five seats of a pool of five, all drawn.
        assertOdds(5, 3, 5, true, 0);
        assertOdds(5, 4, 5, true, 1e18);
    }

    function test_captureOdds_ofNobodyAreNone() public view {
        assertOdds(100, 0, 3, false, 0);
        assertOdds(100, 1, 3, false, 0);
        assertOdds(100, 100, 31, false, 1e18);
    }

    function testFuzz_captureOdds_growWithTheHostile(uint256 pool, uint256 hostile, uint8 size) public view {
        size = uint8(2 * bound(size, 1, 15) + 1);
        pool = bound(pool, size, 1e6);
        hostile = bound(hostile, 0, pool - 1);
        assertLe(lens.captureOdds(pool, hostile, size, false), lens.captureOdds(pool, hostile + 1, size, false) + 10);
        assertLe(lens.captureOdds(pool, hostile, size, true), lens.captureOdds(pool, hostile, size, false) + 10);
    }

    function testFuzz_captureOdds_failForAPoolThatCannotBeDrawnFrom(uint256 pool, uint256 hostile) public {
        pool = bound(pool, 0, 30);
        vm.expectRevert(abi.encodeWithSelector(Odds.BadPool.selector, pool, 0, 31));
        lens.captureOdds(pool, 0, 31, false);

        hostile = bound(hostile, 101, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Odds.BadPool.selector, 100, hostile, 3));
        lens.captureOdds(100, hostile, 3, false);
    }

    function assertFifth(uint8 size, uint256 expected) internal view {
        assertLarge(5, size, expected);
    }

    /// @dev One in `share` of a pool of 3 x 5 x 1e17 is hostile.
    function assertLarge(uint256 share, uint8 size, uint256 expected) internal view {
        assertApproxEqAbs(lens.captureOdds(15e17, 15e17 / share, size, false), expected, 1e4);
    }

    function assertOdds(uint256 pool, uint256 hostile, uint8 size, bool superMajority, uint256 expected) internal view {
        assertApproxEqAbs(lens.captureOdds(pool, hostile, size, superMajority), expected, 10);
    }
}
