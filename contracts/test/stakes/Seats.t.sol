// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract SeatsTest is Protocol {
    function test_seats_listsAPage() public {
        IVerifierStakes.Seat[] memory page = stakes.seats(modelId, 3, 100);

        assertEq(page.length, 2);
        assertEq(page[0].owner, ownerOf(3));
        assertEq(page[1].owner, ownerOf(4));
    }

    function testFuzz_seats_neverReadsBeyondThePool(uint32 start, uint32 limit) public view {
        uint256 rest = start < 5 ? 5 - start : 0;
        assertEq(stakes.seats(modelId, start, limit).length, limit < rest ? limit : rest);
    }

    function test_seats_keepsWhatItIsGiven() public view {
        assertEq(stakes.seatAge(), SEAT_AGE);
        assertEq(stakes.unbondingTime(), UNBONDING);
    }
}
