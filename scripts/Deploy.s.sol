// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {GenerationOracle} from "../contracts/src/GenerationOracle.sol";
import {ModelRegistry} from "../contracts/src/ModelRegistry.sol";
import {VerifierStakes} from "../contracts/src/VerifierStakes.sol";
import {IGenerationOracle} from "../contracts/src/interfaces/IGenerationOracle.sol";

/// @notice Deploys the three contracts and writes where they are.
///
///     forge script scripts/Deploy.s.sol --rpc-url URL --account NAME --broadcast
///
/// QUORATE_PROFILE: `devnet` or `mainnet`; without it, devnet on anvil's chain ids and mainnet elsewhere.
/// QUORATE_DEPLOYMENT: the file to write, `deployments/<chainid>.json` without it; set to nothing, none is written.
contract Deploy is Script {
    struct Profile {
        IGenerationOracle.Windows windows;
        /// Seconds.
        uint32 seatAge;
        /// Seconds.
        uint32 unbonding;
        uint32 secondsPerBlock;
    }

    struct Deployment {
        ModelRegistry models;
        VerifierStakes stakes;
        GenerationOracle oracle;
    }

    error UnknownProfile(string name);
    error Mispredicted(address expected, address actual);

    function run() external returns (Deployment memory deployment) {
        uint256 from = block.number;
        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        deployment = deploy(deployer, profile());
        vm.stopBroadcast();

        write(deployment, from);
    }

    /// @dev Stakes and oracle know each other by immutable addresses, so the oracle's is computed before it is deployed.
    function deploy(address deployer, Profile memory chosen) public returns (Deployment memory deployment) {
        address oracle = vm.computeCreateAddress(deployer, vm.getNonce(deployer) + 2);
        deployment.models = new ModelRegistry();
        deployment.stakes = new VerifierStakes(oracle, deployment.models, chosen.seatAge, chosen.unbonding);
        deployment.oracle =
            new GenerationOracle(deployment.stakes, deployment.models, chosen.windows, chosen.secondsPerBlock);
        require(address(deployment.oracle) == oracle, Mispredicted(oracle, address(deployment.oracle)));
    }

    function profile() internal view returns (Profile memory) {
        bool local = block.chainid == 31_337 || block.chainid == 1337;
        string memory name = vm.envOr("QUORATE_PROFILE", local ? string("devnet") : string("mainnet"));
        if (same(name, "devnet")) return devnet();
        if (same(name, "mainnet")) return mainnet();
        revert UnknownProfile(name);
    }

    function devnet() internal pure returns (Profile memory) {
        return Profile({
            windows: IGenerationOracle.Windows({seedDelay: 2, drawWindow: 240, commitWindow: 120, revealWindow: 60}),
            seatAge: 5,
            unbonding: 15 minutes,
            secondsPerBlock: 1
        });
    }

    function mainnet() internal pure returns (Profile memory) {
        return Profile({
            windows: IGenerationOracle.Windows({
                seedDelay: 4, drawWindow: 240, commitWindow: 10 minutes, revealWindow: 1 hours
            }),
            seatAge: 1 days,
            unbonding: 3 days,
            secondsPerBlock: 12
        });
    }

    function write(Deployment memory deployment, uint256 from) internal {
        string memory usual = string.concat("deployments/", vm.toString(block.chainid), ".json");
        string memory path = vm.envOr("QUORATE_DEPLOYMENT", usual);
        if (bytes(path).length == 0) return;

        string memory file = "deployment";
        vm.serializeUint(file, "chainId", block.chainid);
        vm.serializeAddress(file, "generationOracle", address(deployment.oracle));
        vm.serializeAddress(file, "verifierStakes", address(deployment.stakes));
        vm.serializeAddress(file, "modelRegistry", address(deployment.models));
        string memory json = vm.serializeUint(file, "block", from);
        if (same(path, usual)) vm.createDir("deployments", true);
        vm.writeJson(json, path);
        console.log("The addresses are in", path);
    }

    function same(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
