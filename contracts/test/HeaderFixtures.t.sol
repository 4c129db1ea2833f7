// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

/// @notice Block headers to prove RANDAO with.
library HeaderFixtures {
    /// @dev Block 2 of an anvil 1.7.1 chain with `--hardfork prague`: 21 fields.
    bytes internal constant ANVIL =
        hex"f9025fa0d9de222d526f633650c77cd73f42279195698707a03f6e8bc3890b8f64bc741aa01dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347940000000000000000000000000000000000000000a024c6298d5a053c90ad7794e327536138c07f697160444a7e3ee3c379ddc31136a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421b901000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080028401c9c38080846b02484280a06669e6743be743eb1741a8ad9be264cfa57cc73d78259cd1c727d5979072c32688000000000000000084342770c0a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b4218080a00000000000000000000000000000000000000000000000000000000000000000a0e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    bytes32 internal constant ANVIL_HASH = 0xe594ba0603d816517d040a782c5dabd1ea82abc65099f80c49a62db127f093f0;
    bytes32 internal constant ANVIL_RANDAO = 0x6669e6743be743eb1741a8ad9be264cfa57cc73d78259cd1c727d5979072c326;

    /// @notice A header as of Prague.
    function encode(uint256 number, bytes32 randao) internal pure returns (bytes memory) {
        return RLP.encode(fields(number, randao, 21));
    }

    /// @notice A header with `count` fields, as earlier and later forks have them.
    function fields(uint256 number, bytes32 randao, uint256 count) internal pure returns (bytes[] memory items) {
        items = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            items[i] = RLP.encode(keccak256(abi.encode("field", i)));
        }
        items[2] = RLP.encode(address(0xc01bba5e));
        items[6] = RLP.encode(new bytes(256));
        items[7] = RLP.encode(uint256(0));
        items[8] = RLP.encode(number);
        items[12] = RLP.encode(bytes("extra"));
        if (count > 13) items[13] = RLP.encode(randao);
        if (count > 14) items[14] = RLP.encode(new bytes(8));
    }
}
