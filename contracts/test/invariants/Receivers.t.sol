// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationConsumer} from "../../src/interfaces/IGenerationConsumer.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";

contract Refuser {
    receive() external payable {
        revert("no, thank you");
    }
}

contract Consumer is IGenerationConsumer {
    function onVerdict(bytes32, IGenerationOracle.Job calldata, IGenerationOracle.Verdict calldata) external {}
}
