// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract AnnounceTest is Protocol {
    function test_announce_publishesTheCallersUrl() public {
        vm.expectEmit(address(stakes));
        emit IVerifierStakes.EndpointAnnounced(stranger, "https://node.example");
        vm.prank(stranger);
        stakes.announce("https://node.example");
    }

    function test_announce_failsIfTheUrlIsTooLong() public {
        stakes.announce(string(new bytes(256)));

        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.UrlTooLong.selector, 257, 256));
        stakes.announce(string(new bytes(257)));
    }
}
