// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {GenerationLens} from "../contracts/src/GenerationLens.sol";
import {GenerationOracle} from "../contracts/src/GenerationOracle.sol";
import {ModelRegistry} from "../contracts/src/ModelRegistry.sol";
import {IGenerationOracle} from "../contracts/src/interfaces/IGenerationOracle.sol";
import {IRandomness} from "../contracts/src/interfaces/IRandomness.sol";
import {Delegations} from "../contracts/src/libraries/Delegations.sol";
import {Seats} from "../contracts/src/libraries/Seats.sol";
import {DrandRandomness} from "../contracts/src/randomness/DrandRandomness.sol";
import {RandaoRandomness} from "../contracts/src/randomness/RandaoRandomness.sol";

/// @notice Deploys the contracts, writes where they are, and says what a block explorer needs to verify them.
///
///     forge script scripts/Deploy.s.sol --rpc-url URL --account NAME --broadcast
///
/// QUORATE_PROFILE: `devnet` or `mainnet`; without it, devnet on anvil's chain ids and mainnet elsewhere.
/// QUORATE_RANDOMNESS: `randao`, which is what it is without it, or `drand`, which chains without a fresh RANDAO need: rollups.
/// They have to have the precompiles of EIP-2537 (Prague).
/// QUORATE_DRAND_GENESIS, _PERIOD, _KEY: another drand network than quicknet, its key as EIP-2537 writes points;
/// QUORATE_DRAND_DELAY: seconds from a request to its round, at least, instead of 30.
/// QUORATE_DEPLOYMENT: the file to write, `deployments/<chainid>.json` without it; set to nothing, none is written.
///
/// The oracle links libraries, which forge deploys first, and makes its extension itself.
contract Deploy is Script {
    struct Profile {
        /// Whether seeds come from drand; the next two are for RANDAO.
        bool drand;
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

    /// @dev As drand's HTTP API says of a network at /CHAIN/info.
    struct Drand {
        uint64 genesis;
        uint32 period;
        uint32 delay;
        bytes publicKey;
    }

    struct Deployment {
        ModelRegistry models;
        IRandomness randomness;
        GenerationOracle oracle;
        GenerationLens lens;
    }

    /// @dev Quicknet's, of the League of Entropy: chain 52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971.
    uint256 internal constant QUICKNET_GENESIS = 1_692_803_367;
    uint256 internal constant QUICKNET_PERIOD = 3;
    bytes internal constant QUICKNET_KEY = hex"000000000000000000000000000000000d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        hex"0000000000000000000000000000000003cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        hex"000000000000000000000000000000000e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273"
        hex"0000000000000000000000000000000001a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b";
    uint256 internal constant DRAND_DELAY = 30;

    error UnknownProfile(string name);
    error UnknownRandomness(string name);
    /// @dev RANDAO is a seed only where every block has a fresh mix that nobody knows beforehand. A rollup's is stale or
    /// constant: there set QUORATE_RANDOMNESS to `drand`.
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
        deployment.randomness = deployRandomness(chosen);
        deployment.oracle = new GenerationOracle(
            deployment.models, deployment.randomness, chosen.windows, chosen.seatAge, chosen.unbonding
        );
        deployment.lens = new GenerationLens(deployment.oracle);
    }

    function deployRandomness(Profile memory chosen) internal returns (IRandomness) {
        if (!chosen.drand) return new RandaoRandomness(chosen.delay, chosen.secondsPerBlock);
        Drand memory it = drand();
        return new DrandRandomness(it.genesis, it.period, it.delay, it.publicKey);
    }

    function profile() internal view returns (Profile memory chosen) {
        bool local = block.chainid == 31_337 || block.chainid == 1337;
        bool byDrand = isDrandChosen();
        require(byDrand || local || hasFreshRandao(), NoFreshRandao(block.chainid));
        string memory name = vm.envOr("QUORATE_PROFILE", local ? string("devnet") : string("mainnet"));
        if (same(name, "devnet")) chosen = devnet();
        else if (same(name, "mainnet")) chosen = mainnet();
        else revert UnknownProfile(name);
        if (byDrand) useDrand(chosen);
    }

    function isDrandChosen() internal view returns (bool) {
        string memory name = vm.envOr("QUORATE_RANDOMNESS", string("randao"));
        require(same(name, "randao") || same(name, "drand"), UnknownRandomness(name));
        return same(name, "drand");
    }

    /// @dev A round is known half a minute after the request, so that the draw window is two minutes at least.
    function useDrand(Profile memory chosen) internal pure {
        chosen.drand = true;
        if (chosen.windows.draw < 2 minutes) chosen.windows.draw = 2 minutes;
    }

    /// @dev Quicknet, unless the environment says otherwise.
    function drand() internal view returns (Drand memory) {
        return Drand({
            genesis: uint64(vm.envOr("QUORATE_DRAND_GENESIS", QUICKNET_GENESIS)),
            period: uint32(vm.envOr("QUORATE_DRAND_PERIOD", QUICKNET_PERIOD)),
            delay: uint32(vm.envOr("QUORATE_DRAND_DELAY", DRAND_DELAY)),
            publicKey: vm.envOr("QUORATE_DRAND_KEY", QUICKNET_KEY)
        });
    }

    /// @dev Ethereum, Sepolia, Hoodi.
    function hasFreshRandao() internal view returns (bool) {
        uint256 id = block.chainid;
        return id == 1 || id == 11_155_111 || id == 560_048;
    }

    /// @dev draw 60 <= 255 x 1; unbonding 3,600 >= 4 x (60 + 300 + 60 + 300) = 2,880, and with drand's 120 to draw 3,120.
    function devnet() internal pure returns (Profile memory) {
        return Profile({
            drand: false,
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
            drand: false,
            delay: 4,
            secondsPerBlock: 12,
            windows: IGenerationOracle.Windows({
                draw: 48 minutes, commit: 10 minutes, mostCommit: 7 hours, reveal: 1 hours, appeal: 2 hours
            }),
            seatAge: 1 days,
            unbonding: 3 days
        });
    }

    function sayWhatToVerify(Deployment memory deployment, Profile memory chosen) internal view {
        console.log("To be verified: contract, address, constructor arguments");
        say("Seats", address(Seats), "");
        say("Delegations", address(Delegations), "");
        say("ModelRegistry", address(deployment.models), "");
        sayRandomness(deployment.randomness, chosen);
        bytes memory arguments =
            abi.encode(deployment.models, deployment.randomness, chosen.windows, chosen.seatAge, chosen.unbonding);
        say("GenerationOracle", address(deployment.oracle), arguments);
        say("OracleExtension", extensionOf(deployment.oracle), abi.encode(deployment.randomness, chosen.windows));
        say("GenerationLens", address(deployment.lens), abi.encode(deployment.oracle));
    }

    function sayRandomness(IRandomness randomness, Profile memory chosen) internal view {
        if (!chosen.drand) {
            return say("RandaoRandomness", address(randomness), abi.encode(chosen.delay, chosen.secondsPerBlock));
        }
        Drand memory it = drand();
        bytes memory arguments = abi.encode(it.genesis, it.period, it.delay, it.publicKey);
        say("DrandRandomness", address(randomness), arguments);
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
