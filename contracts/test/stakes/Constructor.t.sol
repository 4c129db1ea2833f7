// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VerifierStakes} from "../../src/VerifierStakes.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {Protocol} from "../Protocol.t.sol";

contract ConstructorTest is Protocol {
    function test_constructor_failsIfASeatCouldBeTakenInTheRequestsBlock() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.BadSeatAge.selector, 0));
        new VerifierStakes(address(oracle), models, 0, UNBONDING);
    }
}
