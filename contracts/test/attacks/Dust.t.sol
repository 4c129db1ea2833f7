// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Jobs that pay less than the gas of a vote, by the thousand.
contract DustTest is Attack {
    function testFuzz_dust_isNotTaken(uint64 baseFee, uint96 share) public {
        vm.fee(bound(baseFee, 1 gwei, 10 gwei));
        uint96 least = lens.quoteImage(modelId, spec(), terms(3)).leastShare;
        IGenerationOracle.Terms memory of_ = terms(3);
        of_.share = uint96(bound(share, 0, least - 1));

        assertGe(least, 3 * 100_000 * block.basefee);
        vm.deal(stranger, 100 ether);
        vm.prank(stranger);
        oracle.deposit{value: 100 ether}();
        assertFalse(attempt(stranger, abi.encodeCall(oracle.requestImage, (modelId, spec(), of_))));
    }
}
