// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Deploy} from "../../scripts/Deploy.s.sol";
import {DrandFixtures} from "./DrandFixtures.t.sol";
import {DrandRandomness} from "../src/randomness/DrandRandomness.sol";
import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {RandaoRandomness} from "../src/randomness/RandaoRandomness.sol";

contract DeployTest is Test, Deploy {
    /// @dev EIP-170.
    uint256 private constant MOST_BYTES = 24_576;

    function test_deploy_takesDrand() public {
        useAndCheckDrand(devnet());
        useAndCheckDrand(mainnet());
    }

    function useAndCheckDrand(Profile memory chosen) internal {
        useDrand(chosen);
        DrandRandomness it = DrandRandomness(address(checkDeployment(chosen).randomness));

        assertEq(it.genesis(), DrandFixtures.GENESIS);
        assertEq(it.period(), DrandFixtures.PERIOD);
        assertEq(it.publicKey(), DrandFixtures.QUICKNET_KEY);
        assertEq(it.delay(), 30);
        checkWindows(chosen);
        assertGe(chosen.windows.draw, 3 * it.latency(), "the seed is known long before the draw window closes");
    }

    function test_deploy_takesRandao() public {
        checkRandao(devnet());
        checkRandao(mainnet());
    }

    function checkRandao(Profile memory chosen) internal {
        RandaoRandomness it = RandaoRandomness(address(checkDeployment(chosen).randomness));

        assertEq(it.delay(), chosen.delay);
        assertEq(it.lifetime(), 255 * chosen.secondsPerBlock);
    }

    function checkDeployment(Profile memory chosen) internal returns (Deployment memory it) {
        it = deploy(chosen);

        assertEq(it.oracle.models(), address(it.models));
        assertEq(it.oracle.randomness(), address(it.randomness));
        assertEq(it.lens.oracle(), address(it.oracle));
        assertEq(abi.encode(it.oracle.windows()), abi.encode(chosen.windows));
        assertEq(it.oracle.seatAge(), chosen.seatAge);
        assertEq(it.oracle.unbondingTime(), chosen.unbonding);
    }

    function test_deploy_makesContractsThatFitAChain() public {
        Deployment memory it = deploy(mainnet());

        checkSize("GenerationOracle", address(it.oracle).code.length);
        checkSize("OracleExtension", extensionOf(it.oracle).code.length);
        checkSize("ModelRegistry", address(it.models).code.length);
        checkSize("RandaoRandomness", address(it.randomness).code.length);
        checkSize("DrandRandomness", vm.getDeployedCode("DrandRandomness.sol:DrandRandomness").length);
        checkSize("GenerationLens", address(it.lens).code.length);
        checkSize("Seats", vm.getDeployedCode("Seats.sol:Seats").length);
        checkSize("Delegations", vm.getDeployedCode("Delegations.sol:Delegations").length);
    }

    function checkSize(string memory name, uint256 size) internal pure {
        assertGt(size, 0, name);
        assertLe(size, MOST_BYTES, name);
    }

    // --------------------------------------------------------------------------------------------------------- the times

    function test_profile_followsTheChain() public {
        vm.chainId(31_337);
        assertEq(abi.encode(profile()), abi.encode(devnet()));
        vm.chainId(1337);
        assertEq(abi.encode(profile()), abi.encode(devnet()));
        vm.chainId(1);
        assertEq(abi.encode(profile()), abi.encode(mainnet()));
    }

    function test_profile_isRefusedWhereRandaoIsStale() public {
        vm.chainId(42_161); // Arbitrum One: its RANDAO is constant
        vm.expectRevert(abi.encodeWithSelector(NoFreshRandao.selector, 42_161));
        this.profileHere();
    }

    function profileHere() external view returns (Profile memory) {
        return profile();
    }

    function test_devnet_keepsEveryInequality() public pure {
        checkTimes(devnet());
    }

    function test_mainnet_keepsEveryInequality() public pure {
        Profile memory chosen = mainnet();
        checkTimes(chosen);

        assertGe(chosen.delay, 4, "who proposes the blocks before the seed's has to own four in a row");
        assertGe(chosen.windows.commit, 10 minutes, "the honest 99th percentile fits, and stuffing blocks is dear");
        assertGe(chosen.windows.reveal, 1 hours, "a restart and an outage fit");
        assertGe(chosen.windows.appeal, 2 hours, "whoever watches makes the picture again and gets a transaction in");
        assertGe(chosen.seatAge, 1 days, "a pool that is being bought is seen");
    }

    function checkTimes(Profile memory chosen) internal pure {
        IGenerationOracle.Windows memory windows = chosen.windows;
        assertGe(chosen.delay, 2, "the proposer of a block knows the mix of the next one");
        uint256 seedKnown = (chosen.delay + 1) * chosen.secondsPerBlock;
        assertGe(windows.draw, 10 * seedKnown, "the seed is known long before the draw window closes");
        assertLe(windows.draw, 255 * chosen.secondsPerBlock, "blockhash reaches the seed's block until it closes");
        checkWindows(chosen);
    }

    function checkWindows(Profile memory chosen) internal pure {
        IGenerationOracle.Windows memory windows = chosen.windows;
        assertLe(windows.commit, windows.mostCommit);
        assertGt(windows.reveal, 0);
        assertGt(windows.appeal, 0);
        assertGt(chosen.seatAge, 0, "no seat is taken in the request's own block");

        uint256 appealed = windows.appeal > windows.mostCommit ? windows.appeal : windows.mostCommit;
        uint256 round = uint256(windows.draw) + windows.mostCommit + windows.reveal + appealed;
        assertGe(chosen.unbonding, 4 * round, "no stake is paid out while it can still be slashed");
    }

    // ---------------------------------------------------------------------------------------------------------- the file

    /// @dev In one test: the environment is the process's, and tests run side by side.
    function test_write_namesEveryContractOrNone() public {
        Deployment memory it = deploy(devnet());
        string memory path = "deployments/of-a-test.json";
        vm.createDir("deployments", true);
        vm.setEnv("QUORATE_DEPLOYMENT", "");
        write(it, 7);
        assertFalse(vm.exists(path));

        vm.setEnv("QUORATE_DEPLOYMENT", path);
        write(it, 7);
        string memory json = vm.readFile(path);
        vm.removeFile(path);

        assertEq(vm.parseJsonKeys(json, "$").length, 7);
        assertEq(vm.parseJsonUint(json, ".chainId"), block.chainid);
        assertEq(vm.parseJsonAddress(json, ".generationOracle"), address(it.oracle));
        assertEq(vm.parseJsonAddress(json, ".modelRegistry"), address(it.models));
        assertEq(vm.parseJsonAddress(json, ".randomness"), address(it.randomness));
        assertEq(vm.parseJsonAddress(json, ".generationLens"), address(it.lens));
        assertEq(vm.parseJsonBytes32(json, ".oracleCodeHash"), address(it.oracle).codehash);
        assertEq(vm.parseJsonUint(json, ".block"), 7);
    }
}
