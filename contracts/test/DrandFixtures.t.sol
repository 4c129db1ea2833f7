// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bls} from "../src/libraries/Bls.sol";
import {DrandRandomness} from "../src/randomness/DrandRandomness.sol";

/// @notice Rounds that drand published, and the group keys to check them with. A round is at the path /CHAIN/public/ROUND
/// of drand's HTTP API (api.drand.sh, api2, api3, drand.cloudflare.com), where CHAIN is the chain's hash, and a key at
/// /CHAIN/info.
library DrandFixtures {
    struct Round {
        uint64 id;
        bytes signature;
        bytes32 randomness;
    }

    // ------------------------------------------------------------------------------------------------------ the networks

    bytes32 internal constant QUICKNET = 0x52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971;
    uint64 internal constant GENESIS = 1_692_803_367;
    uint32 internal constant PERIOD = 3;
    /// @dev What drand calls groupHash or genesis seed.
    bytes32 internal constant QUICKNET_GROUP = 0xf477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e;
    bytes internal constant QUICKNET_KEY_COMPRESSED = hex"83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        hex"0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
    bytes internal constant QUICKNET_KEY = hex"000000000000000000000000000000000d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        hex"0000000000000000000000000000000003cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        hex"000000000000000000000000000000000e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273"
        hex"0000000000000000000000000000000001a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b";

    /// @dev drand's test network signs in the same scheme: quicknet-t, chain
    /// cc9c398442737cbd141526600919edd69f1d6f9b4adb67e4d912fbc64341a9a5.
    bytes internal constant TESTNET_KEY = hex"00000000000000000000000000000000072f6d84ee791a3382bfb055afab1e6a375538d8ffc451104ac971d2dc9b168e2d3246b0be2015969cbaac298f6502da"
        hex"00000000000000000000000000000000115b65b46fb29104f6a4b5d1e11a8da6344463973d423661bb0804846a0ecd1ef93c25057f1c0baab2ac53e56c662b66"
        hex"0000000000000000000000000000000013dba2f47914cda2132d3454f23f855ce20f3a4c037e388148f354b783b9b416ff5ef70475e5d19889bc554751e8bc1b"
        hex"00000000000000000000000000000000196197c055a4f7936b72136c41619d7cd2a4e44479504b8bbb941d16ae79d985b3b9ae0aeeea18853153f5a2fa02f5dd";

    function quicknet() internal returns (DrandRandomness) {
        return new DrandRandomness(GENESIS, PERIOD, 30, QUICKNET_KEY);
    }

    // -------------------------------------------------------------------------------------------------------- the rounds

    /// @dev The randomness is the signature's hash, which the API's first version sends along.
    function rounds() internal pure returns (Round[] memory all) {
        all = new Round[](6);
        // In drand's documentation of the API, docs.drand.love/developer/http-api.
        all[0] = Round(
            42,
            hex"95a9f9f5b231b7714de1553105d8ffdf3dcda24cfdb1e689319bccf79a9c8ce430a91b811fbfaf763900bc998b5d686a",
            0x8ada64bae5c6c0f5540a6a13af56e663240edfbd2c76ac6a8f27671eb7259ce3
        );
        // In the tests of the crate drand-verify 0.6.2.
        all[1] = Round(
            123,
            hex"b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92",
            0xfb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc
        );
        // In the tests of many clients, ideal-lab5/idn-sdk among them.
        all[2] = round1000();
        // In the readme of mcdcam/python-drand-verify.
        all[3] = Round(
            657_413,
            hex"b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b",
            0xfc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587
        );
        // Of 2024 and 2026.
        all[4] = Round(
            12_040_883,
            hex"929906c959032ab363c9f26570d215d66f5c06cb0c44fe508c12bb5839f04ec895bb6868e5b9ff13ab289bdb5266b394",
            0x173df1f57805453a8d2015268205d68147de12cafc2f451f7bc6adadca3571b3
        );
        all[5] = Round(
            32_281_667,
            hex"b0f5ae301358ff87a9d3dd539ed4a07c0148b1ab4f7b61a8ca43c7e9ca7ca9553e4faae9188deb30b2cd1a7f447e3e5b",
            0x4fd2fc55983dbfa3f446d8a0bd56f16cc8c5e76afd1ec154b60d477cbabed13b
        );
    }

    function round1000() internal pure returns (Round memory) {
        return Round(
            1000,
            hex"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
            0xfe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd
        );
    }

    function testnetRound() internal pure returns (Round memory) {
        return Round(
            5_423_142,
            hex"96fce8e2f70e2784577c8f2d8bd36af7a4b0dfd73dd91469d8556b36d2973a4f84681a45b1af2ce0511e5a32dd72508f",
            sha256(
                hex"96fce8e2f70e2784577c8f2d8bd36af7a4b0dfd73dd91469d8556b36d2973a4f84681a45b1af2ce0511e5a32dd72508f"
            )
        );
    }

    // ------------------------------------------------------------------------------------------------------- the signing

    address private constant MODEXP = address(0x05);
    address private constant G1_MSM = address(0x0c);
    address private constant G2_MSM = address(0x0e);
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    bytes private constant G2_GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
        hex"000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be";

    function keyOf(uint256 secret) internal view returns (bytes memory key) {
        return call(G2_MSM, bytes.concat(G2_GENERATOR, bytes32(secret)));
    }

    function sign(uint256 secret, uint64 id) internal view returns (bytes memory signature) {
        return call(G1_MSM, bytes.concat(Bls.hashToG1(sha256(abi.encodePacked(id))), bytes32(secret)));
    }

    /// @notice What a node makes of a published signature: y is the root of x^3 + 4 that the third bit asks for.
    function decompress(bytes memory signature) internal view returns (bytes memory) {
        (uint256 high, uint256 low) = abi.decode(bytes.concat(bytes16(0), signature), (uint256, uint256));
        bool larger = (high >> 125) & 1 == 1;
        high &= (1 << 125) - 1;

        (uint256 yHigh, uint256 yLow) = power(high, low, 0, 3);
        (yHigh, yLow) = add(yHigh, yLow, 0, 4);
        // (p + 1) / 4, because p is 3 modulo 4.
        (yHigh, yLow) = power(
            yHigh,
            yLow,
            0x0680447a8e5ff9a692c6e9ed90d2eb35,
            0xd91dd2e13ce144afd9cc34a83dac3d8907aaffffac54ffffee7fbfffffffeaab
        );
        (uint256 otherHigh, uint256 otherLow) = negated(yHigh, yLow);
        bool isLarger = yHigh > otherHigh || (yHigh == otherHigh && yLow > otherLow);
        return isLarger == larger ? abi.encode(high, low, yHigh, yLow) : abi.encode(high, low, otherHigh, otherLow);
    }

    function negate(bytes memory point) internal pure returns (bytes memory) {
        (uint256 xHigh, uint256 xLow, uint256 yHigh, uint256 yLow) =
            abi.decode(point, (uint256, uint256, uint256, uint256));
        (yHigh, yLow) = negated(yHigh, yLow);
        return abi.encode(xHigh, xLow, yHigh, yLow);
    }

    function add(uint256 high, uint256 low, uint256 otherHigh, uint256 otherLow)
        internal
        pure
        returns (uint256 sumHigh, uint256 sumLow)
    {
        unchecked {
            sumLow = low + otherLow;
            sumHigh = high + otherHigh + (sumLow < low ? 1 : 0);
        }
    }

    function addP(uint256 high, uint256 low) internal pure returns (uint256, uint256) {
        return add(high, low, P_HIGH, P_LOW);
    }

    function negated(uint256 high, uint256 low) private pure returns (uint256, uint256) {
        unchecked {
            return (P_HIGH - high - (low > P_LOW ? 1 : 0), P_LOW - low);
        }
    }

    function power(uint256 high, uint256 low, uint256 exponentHigh, uint256 exponentLow)
        private
        view
        returns (uint256, uint256)
    {
        bytes memory input = abi.encode(64, 64, 64, high, low, exponentHigh, exponentLow, P_HIGH, P_LOW);
        return abi.decode(call(MODEXP, input), (uint256, uint256));
    }

    function call(address precompile, bytes memory input) private view returns (bytes memory output) {
        bool sound;
        (sound, output) = precompile.staticcall(input);
        require(sound, "a precompile of EIP-2537 failed");
    }
}
