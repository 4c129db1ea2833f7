// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {GenerationLens} from "../contracts/src/GenerationLens.sol";
import {GenerationOracle} from "../contracts/src/GenerationOracle.sol";
import {ModelRegistry} from "../contracts/src/ModelRegistry.sol";
import {IGenerationOracle} from "../contracts/src/interfaces/IGenerationOracle.sol";
import {Delegations} from "../contracts/src/libraries/Delegations.sol";
import {Seats} from "../contracts/src/libraries/Seats.sol";
import {RandaoRandomness} from "../contracts/src/randomness/RandaoRandomness.sol";

/// @notice Deploys the contracts, writes where they are, and says what a block explorer needs to verify them.
///
///     forge script scripts/Deploy.s.sol --rpc-url URL --account NAME --broadcast
///
/// QUORATE_PROFILE: `devnet` or `mainnet`; without it, devnet on anvil's chain ids and mainnet elsewhere.
/// QUORATE_DEPLOYMENT: the file to write, `deployments/<chainid>.json` without it; set to nothing, none is written.
///
/// The oracle links libraries, which forge deploys first, and makes its extension itself.
contract Deploy is Script {
    struct Profile {
        /// Blocks from a request to its seed's: at least 2, because the proposer of block N knows the mix of N+1.
        uint32 delay;
        /// The least time between two blocks; the proof of a seed can be checked for 255 times as long.
        uint32 secondsPerBlock;
        IGenerationOracle.Windows windows;
        /// Seconds: more than zero, so that no seat is taken in the request's own block.
        uint32 seatAge;
        /// Seconds: at least four rounds of the longest windows, `4 x (draw + mostCommit + reveal + max(appeal, mostCommit))`,
        /// so that no seat is withdrawn while a job that may draw it can still be appealed.
        uint32 unbonding;
    }

    struct Deployment {
        ModelRegistry models;
        RandaoRandomness randomness;
        GenerationOracle oracle;
        GenerationLens lens;
    }

    error UnknownProfile(string name);
    /// @dev RANDAO is a seed only where every block has a fresh mix that nobody knows beforehand. A rollup's is stale or
    /// constant: there deploy the oracle with `DrandRandomness`.
    error NoFreshRandao(uint256 chainId);

    function run() external returns (Deployment memory deployment) {
        uint256 from = block.number;
        Profile memory chosen = profile();
        vm.startBroadcast();
        deployment = deploy(chosen);
        vm.stopBroadcast();

        sayWhatToVerify(deployment, chosen);
        write(deployment, from);
    }

    function deploy(Profile memory chosen) public returns (Deployment memory deployment) {
        deployment.models = new ModelRegistry();
        deployment.randomness = new RandaoRandomness(chosen.delay, chosen.secondsPerBlock);
        deployment.oracle = new GenerationOracle(
            deployment.models, deployment.randomness, chosen.windows, chosen.seatAge, chosen.unbonding
        );
        deployment.lens = new GenerationLens(deployment.oracle);
    }

    function profile() internal view returns (Profile memory) {
        bool local = block.chainid == 31_337 || block.chainid == 1337;
        require(local || hasFreshRandao(), NoFreshRandao(block.chainid));
        string memory name = vm.envOr("QUORATE_PROFILE", local ? string("devnet") : string("mainnet"));
        if (same(name, "devnet")) return devnet();
        if (same(name, "mainnet")) return mainnet();
        revert UnknownProfile(name);
    }

    /// @dev Ethereum, Sepolia, Hoodi.
    function hasFreshRandao() internal view returns (bool) {
        uint256 id = block.chainid;
        return id == 1 || id == 11_155_111 || id == 560_048;
    }

    /// @dev draw 60 <= 255 x 1; unbonding 3,600 >= 4 x (60 + 300 + 60 + 300) = 2,880.
    function devnet() internal pure returns (Profile memory) {
        return Profile({
            delay: 2,
            secondsPerBlock: 1,
            windows: IGenerationOracle.Windows({draw: 60, commit: 120, mostCommit: 300, reveal: 60, appeal: 8}),
            seatAge: 5,
            unbonding: 1 hours
        });
    }

    /// @dev draw 2,880 <= 255 x 12 = 3,060; unbonding 259,200 >= 4 x (2,880 + 25,200 + 3,600 + 25,200) = 227,520.
    function mainnet() internal pure returns (Profile memory) {
        return Profile({
            delay: 4,
            secondsPerBlock: 12,
            windows: IGenerationOracle.Windows({
                draw: 48 minutes, commit: 10 minutes, mostCommit: 7 hours, reveal: 1 hours, appeal: 2 hours
            }),
            seatAge: 1 days,
            unbonding: 3 days
        });
    }

    function sayWhatToVerify(Deployment memory deployment, Profile memory chosen) internal pure {
        console.log("To be verified: contract, address, constructor arguments");
        say("Seats", address(Seats), "");
        say("Delegations", address(Delegations), "");
        say("ModelRegistry", address(deployment.models), "");
        say("RandaoRandomness", address(deployment.randomness), abi.encode(chosen.delay, chosen.secondsPerBlock));
        bytes memory arguments =
            abi.encode(deployment.models, deployment.randomness, chosen.windows, chosen.seatAge, chosen.unbonding);
        say("GenerationOracle", address(deployment.oracle), arguments);
        say("OracleExtension", extensionOf(deployment.oracle), abi.encode(deployment.randomness, chosen.windows));
        say("GenerationLens", address(deployment.lens), abi.encode(deployment.oracle));
    }

    /// @dev The first contract that the oracle makes.
    function extensionOf(GenerationOracle oracle) internal pure returns (address) {
        return vm.computeCreateAddress(address(oracle), 1);
    }

    function say(string memory name, address at, bytes memory arguments) internal pure {
        console.log(name, at);
        console.logBytes(arguments);
    }

    function write(Deployment memory deployment, uint256 from) internal {
        string memory usual = string.concat("deployments/", vm.toString(block.chainid), ".json");
        string memory path = vm.envOr("QUORATE_DEPLOYMENT", usual);
        if (bytes(path).length == 0) return;

        string memory file = "deployment";
        vm.serializeUint(file, "chainId", block.chainid);
        vm.serializeAddress(file, "generationOracle", address(deployment.oracle));
        vm.serializeAddress(file, "modelRegistry", address(deployment.models));
        vm.serializeAddress(file, "randomness", address(deployment.randomness));
        vm.serializeAddress(file, "generationLens", address(deployment.lens));
        vm.serializeBytes32(file, "oracleCodeHash", address(deployment.oracle).codehash);
        string memory json = vm.serializeUint(file, "block", from);
        if (same(path, usual)) vm.createDir("deployments", true);
        vm.writeJson(json, path);
        console.log("The addresses are in", path);
    }

    function same(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
