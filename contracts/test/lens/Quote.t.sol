// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationLens} from "../../src/interfaces/IGenerationLens.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract QuoteTest is Protocol {
    function test_quote_tellsWhatTheOracleAsks() public view {
        IGenerationLens.Quote memory asked = lens.quoteImage(modelId, spec(), terms(3));

        assertEq(asked.leastShare, 81_920_000 + 330_000 * uint256(BASE_FEE));
        assertEq(asked.mostShare, SHARE);
        assertEq(asked.leastCommitWindow, COMMIT_WINDOW);
        assertEq(asked.fee, 3 * uint256(SHARE) + 255_000 * 2 * uint256(BASE_FEE));
    }

    function test_quote_tellsTheTimeOfASlowModel() public {
        IModelRegistry.Model memory model = emoji();
        model.time = 600_000;
        vm.prank(modelOwner);
        bytes32 slow = models.register(model, "slow");
        assertEq(lens.quoteImage(slow, spec(), terms(3)).leastCommitWindow, 197);
    }

    /// @dev With the quoted fee a request passes, and with a wei less it does not.
    function testFuzz_quote_isTheFeeToTheWei(uint64 baseFee, uint96 share, uint32 gas_, uint16 royalty) public {
        vm.fee(bound(baseFee, 0, 30 gwei));
        IModelRegistry.Model memory model = emoji();
        (model.manifestHash, model.royalty) = ("another", uint16(bound(royalty, 0, 2000)));
        vm.prank(modelOwner);
        modelId = models.register(model, "another");
        enrol(5);
        pass(2 * SEAT_AGE);
        IGenerationOracle.Terms memory of_ = terms(5);
        of_.share = uint96(bound(share, lens.quoteImage(modelId, spec(), of_).leastShare, SHARE));
        (of_.consumer, of_.consumerGas) = (stranger, uint32(bound(gas_, 0, 500_000)));

        uint256 fee = lens.quoteImage(modelId, spec(), of_).fee;

        vm.startPrank(requester);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.BalanceTooSmall.selector, requester, fee - 1, fee));
        oracle.requestImage{value: fee - 1}(modelId, spec(), of_);
        oracle.requestImage{value: fee}(modelId, spec(), of_);
        assertEq(oracle.balanceOf(requester), 0);
    }

    function test_quote_failsForWhatTheModelCannotMake() public {
        IGenerationOracle.ImageSpec memory long = spec();
        long.steps = 101;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.StepsOutOfBounds.selector, 101, 100));
        lens.quoteImage(modelId, long, terms(3));

        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        lens.quoteImage("none", spec(), terms(3));
    }
}
