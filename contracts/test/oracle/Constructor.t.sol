// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GenerationOracle} from "../../src/GenerationOracle.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

contract ConstructorTest is Protocol {
    function test_constructor_keepsWhatItIsGiven() public view {
        assertEq(abi.encode(oracle.windows()), abi.encode(devnet()));
        assertEq(oracle.stakes(), address(stakes));
        assertEq(oracle.models(), address(models));
        assertEq(stakes.oracle(), address(oracle));
    }

    function test_constructor_failsIfTheProposerOfTheRequestKnowsTheSeed() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.seedDelay = 1;
        fails(windows, 1);
    }

    function test_constructor_failsIfTheSeedComesAfterTheDrawWindow() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.drawWindow = windows.seedDelay;
        fails(windows, 1);
    }

    function test_constructor_failsIfTheDrawWindowOutlastsBlockhash() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.drawWindow = 256;
        fails(windows, 1);
    }

    function test_constructor_failsWithoutTimeToCommitOrReveal() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.commitWindow = 0;
        fails(windows, 1);

        windows = devnet();
        windows.revealWindow = 0;
        fails(windows, 1);
    }

    function test_constructor_failsIfUnbondingIsNotTwiceTheLongestJob() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.revealWindow = UNBONDING / 2 - windows.drawWindow - windows.commitWindow;
        new GenerationOracle(stakes, models, windows, 1);

        windows.revealWindow += 1;
        fails(windows, 1);
        fails(devnet(), 12);
    }

    function fails(IGenerationOracle.Windows memory windows, uint32 secondsPerBlock) internal {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.BadWindows.selector, windows));
        new GenerationOracle(stakes, models, windows, secondsPerBlock);
    }
}
