// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract SeatsTest is Protocol {
    function test_seats_listsAPage() public view {
        IVerifierStakes.Seat[] memory page = stakes.seats(modelId, 3, 100);

        assertEq(page.length, 2);
        assertEq(page[0].owner, ownerOf(3));
        assertEq(page[1].owner, ownerOf(4));
    }

    function testFuzz_seats_neverReadsBeyondThePool(uint32 start, uint32 limit) public view {
        uint256 rest = start < 5 ? 5 - start : 0;
        assertEq(stakes.seats(modelId, start, limit).length, limit < rest ? limit : rest);
    }

    function test_seats_showsAWithdrawnSeatWithoutAnOwner() public {
        vm.prank(ownerOf(2));
        stakes.leavePool(modelId, 2);
        pass(UNBONDING);
        vm.prank(ownerOf(2));
        stakes.withdrawStake(modelId, 2, payable(stranger));

        assertEq(stakes.seats(modelId, 0, 5)[2].owner, address(0));
    }

    function test_seats_ofAnUnknownModelAreNone() public view {
        assertEq(stakes.seats("none", 0, 5).length, 0);
        assertEq(stakes.seatOf("none", 0).owner, address(0));
    }
}
