// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {GenerationOracle} from "../src/GenerationOracle.sol";
import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "../src/interfaces/IVerifierStakes.sol";
import {Digests} from "../src/libraries/Digests.sol";
import {Tally} from "../src/libraries/Tally.sol";

/// @notice Holds the contracts to `tests/vectors`, as `cargo test` holds the Rust side to them.
contract VectorsTest is Test {
    string private _json;

    function test_specHash() public {
        for (uint256 i = _open("spec", 11); i > 0; --i) {
            string memory path = _at(i - 1);
            IGenerationOracle.ImageSpec memory spec = IGenerationOracle.ImageSpec({
                prompt: vm.parseJsonBytes(_json, string.concat(path, ".prompt")),
                negativePrompt: vm.parseJsonBytes(_json, string.concat(path, ".negativePrompt")),
                width: uint32(_uint(path, ".width")),
                height: uint32(_uint(path, ".height")),
                steps: uint32(_uint(path, ".steps")),
                solver: IGenerationOracle.Solver(_uint(path, ".solver")),
                guidance: uint32(_uint(path, ".guidance")),
                seed: _word(path, ".seed")
            });

            assertEq(keccak256(abi.encode(IModelRegistry.Kind.Image, spec)), _word(path, ".hash"), _what(path));
        }
    }

    function test_noiseSeed() public {
        for (uint256 i = _open("noise", 16); i > 0; --i) {
            string memory path = _at(i - 1);
            (bytes32 specSeed, bytes32 drawSeed) = (_word(path, ".specSeed"), _word(path, ".drawSeed"));
            bool fixedSeed = vm.parseJsonBool(_json, string.concat(path, ".fixedSeed"));

            bytes32 noise = fixedSeed ? specSeed : keccak256(abi.encode(specSeed, drawSeed));
            assertEq(noise, _word(path, ".noiseSeed"), path);
        }
    }

    /// @dev The contract itself, at the address and on the chain that the vector names.
    function test_commitmentOf() public {
        address stakes = makeAddr("stakes");
        vm.mockCall(stakes, abi.encodeCall(IVerifierStakes.unbondingTime, ()), abi.encode(uint32(900)));
        IGenerationOracle.Windows memory windows =
            IGenerationOracle.Windows({seedDelay: 2, drawWindow: 240, commitWindow: 120, revealWindow: 60});

        for (uint256 i = _open("commitment", 11); i > 0; --i) {
            string memory path = _at(i - 1);
            address oracle = vm.parseJsonAddress(_json, string.concat(path, ".contract"));
            deployCodeTo("GenerationOracle.sol", abi.encode(stakes, address(0), windows, uint32(1)), oracle);
            vm.chainId(_uint(path, ".chainId"));

            bytes32 commitment = GenerationOracle(oracle)
                .commitmentOf(
                    _word(path, ".jobId"),
                    _uint(path, ".round"),
                    uint32(_uint(path, ".seat")),
                    _word(path, ".digest"),
                    _word(path, ".contentHash"),
                    _word(path, ".salt")
                );
            assertEq(commitment, _word(path, ".commitment"), _what(path));
        }
    }

    function test_distancesAndZone() public {
        for (uint256 i = _open("digest", 69); i > 0; --i) {
            string memory path = _at(i - 1);
            IModelRegistry.ToleranceProfile memory profile = _profile(path);
            (bytes32 a, bytes32 b) = (_word(path, ".a"), _word(path, ".b"));

            uint8[4] memory distances = _four(path, ".distances");
            assertEq(abi.encode(Digests.distances(a, b)), abi.encode(distances), _what(path));
            assertEq(abi.encode(Digests.distances(b, a)), abi.encode(distances), _what(path));
            assertEq(uint256(Digests.zone(profile, a, b)), _uint(path, ".zone"), _what(path));
        }
    }

    function test_verdict() public {
        for (uint256 i = _open("tally", 27); i > 0; --i) {
            string memory path = _at(i - 1);
            bytes32[] memory digests = vm.parseJsonBytes32Array(_json, string.concat(path, ".digests"));
            (bool accepted, uint256 winner, IGenerationOracle.Zone[] memory zones) =
                Tally.verdict(_profile(path), _uint(path, ".committeeSize"), digests);

            assertEq(accepted, vm.parseJsonBool(_json, string.concat(path, ".accepted")), _what(path));
            assertEq(accepted ? digests[winner] : bytes32(0), _word(path, ".winner"), _what(path));
            assertEq(_numbers(zones), _uints(path, ".zones"), _what(path));
            assertEq(_supporters(zones), _uints(path, ".supporters"), _what(path));
        }
    }

    // ---------------------------------------------------------------------------------------------------- the test files

    /// @return cases how many there are: as many as expected, and not one more
    function _open(string memory name, uint256 expected) private returns (uint256 cases) {
        _json = vm.readFile(string.concat("tests/vectors/", name, ".json"));
        while (vm.keyExistsJson(_json, _at(cases))) ++cases;
        assertEq(cases, expected, name);
    }

    function _at(uint256 index) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(index), "]");
    }

    function _what(string memory path) private view returns (string memory) {
        return vm.parseJsonString(_json, string.concat(path, ".what"));
    }

    function _uint(string memory path, string memory key) private view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(path, key));
    }

    function _word(string memory path, string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, string.concat(path, key));
    }

    function _uints(string memory path, string memory key) private view returns (uint256[] memory) {
        return vm.parseJsonUintArray(_json, string.concat(path, key));
    }

    function _four(string memory path, string memory key) private view returns (uint8[4] memory four) {
        uint256[] memory numbers = _uints(path, key);
        for (uint256 lane; lane < 4; ++lane) {
            four[lane] = uint8(numbers[lane]);
        }
    }

    function _profile(string memory path) private view returns (IModelRegistry.ToleranceProfile memory) {
        return
            IModelRegistry.ToleranceProfile({
                accept: _four(path, ".accept"), reject: _four(path, ".reject"), evidence: 0
            });
    }

    function _numbers(IGenerationOracle.Zone[] memory zones) private pure returns (uint256[] memory numbers) {
        numbers = new uint256[](zones.length);
        for (uint256 i; i < zones.length; ++i) {
            numbers[i] = uint256(zones[i]);
        }
    }

    function _supporters(IGenerationOracle.Zone[] memory zones) private pure returns (uint256[] memory supporters) {
        uint256 count;
        supporters = new uint256[](zones.length);
        for (uint256 i; i < zones.length; ++i) {
            if (zones[i] == IGenerationOracle.Zone.Accepted) supporters[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(supporters, count)
        }
    }
}
