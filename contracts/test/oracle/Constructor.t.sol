// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IVerifierStakes} from "../../src/interfaces/IVerifierStakes.sol";
import {IRandomness} from "../../src/interfaces/IRandomness.sol";
import {DrandFixtures} from "../DrandFixtures.t.sol";
import {Protocol} from "../Protocol.t.sol";

contract ConstructorTest is Protocol {
    function test_constructor_keepsWhatItIsGiven() public view {
        assertEq(abi.encode(oracle.windows()), abi.encode(devnet()));
        assertEq(oracle.models(), address(models));
        assertEq(oracle.randomness(), address(randomness));
        assertEq(stakes.seatAge(), SEAT_AGE);
        assertEq(stakes.unbondingTime(), UNBONDING);
        assertEq(lens.oracle(), address(oracle));
    }

    function test_constructor_failsIfAWindowIsClosed() public {
        for (uint256 i; i < 4; ++i) {
            IGenerationOracle.Windows memory windows = devnet();
            if (i == 0) windows.draw = 0;
            if (i == 1) windows.commit = 0;
            if (i == 2) windows.reveal = 0;
            if (i == 3) windows.appeal = 0;
            fails(windows, UNBONDING);
        }
    }

    function test_constructor_failsIfTheDrawWindowOutlastsTheRandomness() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.draw = randomness.lifetime();
        deployOracle(windows, SEAT_AGE, 1 days);

        windows.draw += 1;
        fails(windows, 1 days);
    }

    /// @dev The seed is known `delay` blocks and one more after the request.
    function test_constructor_failsIfTheRandomnessComesAfterTheDrawWindow() public {
        uint32 draw = devnet().draw;
        useRandao(draw - 2);
        deployOracle(devnet(), SEAT_AGE, 1 days);

        useRandao(draw - 1);
        fails(devnet(), 1 days);
    }

    /// @dev A round is up to a period later than the delay.
    function test_constructor_failsIfTheRoundComesAfterTheDrawWindow() public {
        IGenerationOracle.Windows memory windows = devnet();
        randomness = DrandFixtures.quicknet();
        windows.draw = 30 + DrandFixtures.PERIOD + 1;
        deployOracle(windows, SEAT_AGE, 1 days);

        windows.draw -= 1;
        fails(windows, 1 days);
    }

    function useRandao(uint32 delay) internal {
        bytes memory arguments = abi.encode(delay, uint32(1));
        randomness = IRandomness(deployCode("RandaoRandomness.sol:RandaoRandomness", arguments));
    }

    function test_constructor_failsIfNoCommitWindowIsInRange() public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.commit = windows.mostCommit + 1;
        fails(windows, 1 days);
    }

    /// @dev Draw, commit, reveal, and the appeal, which may be as long as the longest commit window.
    function testFuzz_constructor_failsIfUnbondingIsNotFourOfTheLongestRounds(uint32 appeal) public {
        IGenerationOracle.Windows memory windows = devnet();
        windows.appeal = uint32(bound(appeal, 1, 1 weeks));
        uint32 longest = 60 + 300 + 60 + (windows.appeal > 300 ? windows.appeal : 300);

        deployOracle(windows, SEAT_AGE, 4 * longest);
        fails(windows, 4 * longest - 1);
    }

    function test_constructor_failsIfASeatCouldBeTakenInTheRequestsBlock() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifierStakes.BadSeatAge.selector, 0));
        deployOracle(devnet(), 0, UNBONDING);
    }

    function fails(IGenerationOracle.Windows memory windows, uint32 unbonding) internal {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.BadWindows.selector, windows));
        deployOracle(windows, SEAT_AGE, unbonding);
    }
}
