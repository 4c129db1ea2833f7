// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

/// @notice EIP-712 as wallets are given it, in JSON: what delegations of both kinds share.
abstract contract TypedData is Protocol {
    string internal constant DOMAIN_FIELDS = '"EIP712Domain":[{"name":"name","type":"string"},'
        '{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},'
        '{"name":"verifyingContract","type":"address"}]';
    string internal constant TERMS_FIELDS = '"Terms":[{"name":"committeeSize","type":"uint8"},'
        '{"name":"superMajority","type":"bool"},{"name":"fixedSeed","type":"bool"},{"name":"share","type":"uint96"},'
        '{"name":"commitWindow","type":"uint32"},{"name":"consumer","type":"address"},'
        '{"name":"consumerGas","type":"uint32"}]';

    /// @dev Of a delegation by the name of its kind and of its spec.
    function delegationFields(string memory kind, string memory spec_) internal pure returns (string memory) {
        return string.concat(
            '"',
            kind,
            '":[{"name":"requester","type":"address"},{"name":"modelId","type":"bytes32"},{"name":"spec","type":"',
            spec_,
            '"},{"name":"terms","type":"Terms"},{"name":"mostFee","type":"uint256"},{"name":"nonce","type":"uint256"},',
            '{"name":"deadline","type":"uint256"}]'
        );
    }

    function domainData() internal view returns (string memory) {
        return string.concat(
            '"domain":{"name":"Quorate","version":"1","chainId":',
            vm.toString(block.chainid),
            ',"verifyingContract":"',
            vm.toString(address(oracle)),
            '"}'
        );
    }

    /// @dev Those of `terms(3)` but for share and consumer.
    function termsData(IGenerationOracle.Terms memory it) internal pure returns (string memory) {
        return string.concat(
            '"terms":{"committeeSize":3,"superMajority":false,"fixedSeed":false,"share":"',
            vm.toString(uint256(it.share)),
            '","commitWindow":120,"consumer":"',
            vm.toString(it.consumer),
            '","consumerGas":0}'
        );
    }

    function amountsData(uint256 mostFee, uint256 nonce, uint256 deadline) internal pure returns (string memory) {
        return string.concat(
            '"mostFee":"',
            vm.toString(mostFee),
            '","nonce":"',
            vm.toString(nonce),
            '","deadline":"',
            vm.toString(deadline),
            '"'
        );
    }

    function delegationData(
        address from,
        bytes32 model,
        string memory spec_,
        string memory terms_,
        string memory amounts
    ) internal pure returns (string memory) {
        return string.concat(
            '"message":{"requester":"',
            vm.toString(from),
            '","modelId":"',
            vm.toString(model),
            '",',
            spec_,
            ",",
            terms_,
            ",",
            amounts,
            "}"
        );
    }
}
