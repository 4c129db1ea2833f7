// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice BLS signatures over BLS12-381 with the signature on G1 and the key on G2, checked by the precompiles of
/// EIP-2537. Points are written as EIP-2537 writes them: 128 bytes on G1, 256 on G2. The precompiles take no other encoding
/// of a point, so a signature has one. The libraries that npm carries hash to G2 only (Solady's `BLS`).
library Bls {
    uint256 internal constant SIGNATURE_LENGTH = 128;
    uint256 internal constant KEY_LENGTH = 256;

    address private constant MODEXP = address(0x05);
    address private constant G1_ADD = address(0x0b);
    address private constant PAIRING_CHECK = address(0x0f);
    address private constant MAP_FP_TO_G1 = address(0x10);

    /// @dev The field's modulus and half of it, rounded down: 381 bits in two words.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    uint256 private constant HALF_HIGH = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LOW = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// @dev Negated, so that the two pairings of a true signature multiply to one.
    bytes private constant NEGATED_G2_GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000d1b3cc2c7027888be51d9ef691d77bcb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa"
        hex"0000000000000000000000000000000013fa4d4a0ad8b1ce186ed5061789213d993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed";

    /// @dev The domain of the signature scheme, with its length behind it (RFC 9380, 5.3.1).
    bytes private constant DOMAIN = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_\x2b";

    /// @dev This chain does not have the precompile.
    error NoPrecompile(address precompile);

    /// @notice Whether it is a point of G2's subgroup other than infinity, which would be the key of a signature that
    /// everyone can make.
    function isKey(bytes memory key) internal view returns (bool) {
        if (key.length != KEY_LENGTH || keccak256(key) == keccak256(new bytes(KEY_LENGTH))) return false;
        // The pairing with infinity is one, and the precompile checks the key.
        return pairsToOne(bytes.concat(new bytes(SIGNATURE_LENGTH), key));
    }

    /// @notice Whether the signature is the one of this message under a key that `isKey`. Signatures off the curve or its
    /// subgroup are not, and cost all the gas but a 64th: EIP-2537 has the precompile burn it.
    function verifies(bytes memory key, bytes32 message, bytes calldata signature) internal view returns (bool) {
        // What is longer would bring pairs of its own.
        if (signature.length != SIGNATURE_LENGTH) return false;
        return pairsToOne(bytes.concat(signature, NEGATED_G2_GENERATOR, hashToG1(message), key));
    }

    /// @notice The 48 bytes that the world writes a signature in: its x, and in three bits of the first byte that this is
    /// the short form, that it is not infinity, and which of the two y it has. Only for signatures that were verified.
    function compressed(bytes calldata signature) internal pure returns (bytes memory) {
        (uint128 xHigh, uint256 xLow, uint256 yHigh, uint256 yLow) =
            abi.decode(signature, (uint128, uint256, uint256, uint256));
        bool larger = yHigh > HALF_HIGH || (yHigh == HALF_HIGH && yLow > HALF_LOW);
        uint128 flags = larger ? 0xa0 : 0x80;
        return abi.encodePacked(xHigh | (flags << 120), xLow);
    }

    /// @dev RFC 9380's hash_to_curve for G1. The precompile clears the cofactor of each point, and thereby that of the sum.
    function hashToG1(bytes32 message) internal view returns (bytes memory) {
        (bytes32 first, bytes32 second, bytes32 third, bytes32 fourth) = expand(message);
        return call(G1_ADD, bytes.concat(mapToG1(first, second), mapToG1(third, fourth)), 128);
    }

    /// @dev RFC 9380's expand_message_xmd with SHA-256 to 128 bytes.
    function expand(bytes32 message)
        private
        pure
        returns (bytes32 first, bytes32 second, bytes32 third, bytes32 fourth)
    {
        // The hash function's block of zeros, the message, and the length that is asked for.
        bytes32 start = sha256(abi.encodePacked(new bytes(64), message, uint16(128), uint8(0), DOMAIN));
        first = sha256(abi.encodePacked(start, uint8(1), DOMAIN));
        second = sha256(abi.encodePacked(start ^ first, uint8(2), DOMAIN));
        third = sha256(abi.encodePacked(start ^ second, uint8(3), DOMAIN));
        fourth = sha256(abi.encodePacked(start ^ third, uint8(4), DOMAIN));
    }

    /// @dev The 512 bits are first reduced to the field: raised to 1, modulo p.
    function mapToG1(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory power = abi.encode(64, 32, 64, high, low, 1, P_HIGH, P_LOW);
        return call(MAP_FP_TO_G1, call(MODEXP, power, 64), 128);
    }

    function pairsToOne(bytes memory pairs) private view returns (bool) {
        (bool sound, bytes memory one) = PAIRING_CHECK.staticcall(pairs);
        // Where nothing answers, calls succeed.
        require(!sound || one.length == 32, NoPrecompile(PAIRING_CHECK));
        return sound && abi.decode(one, (bool));
    }

    /// @dev For input that no precompile refuses.
    function call(address precompile, bytes memory input, uint256 length) private view returns (bytes memory output) {
        bool sound;
        (sound, output) = precompile.staticcall(input);
        require(sound && output.length == length, NoPrecompile(precompile));
    }
}
