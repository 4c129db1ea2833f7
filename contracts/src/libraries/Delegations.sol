// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice What a requester signs when somebody else sends its request: EIP-712. Linked, so that the
/// oracle keeps below the size of a contract (EIP-170).
library Delegations {
    string private constant SPEC = "ImageSpec(bytes prompt,bytes negativePrompt,uint32 width,uint32 height,uint32 steps,"
        "uint8 solver,uint32 guidance,bytes32 seed)";
    string private constant TERMS = "Terms(uint8 committeeSize,bool superMajority,bool fixedSeed,uint96 share,"
        "uint32 commitWindow,address consumer,uint32 consumerGas)";
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant SPEC_TYPE = keccak256(bytes(SPEC));
    bytes32 private constant TERMS_TYPE = keccak256(bytes(TERMS));
    bytes32 private constant TYPE = keccak256(
        abi.encodePacked(
            "DelegatedImage(address requester,bytes32 modelId,ImageSpec spec,Terms terms,uint256 mostFee,uint256 nonce,"
            "uint256 deadline)",
            SPEC,
            TERMS
        )
    );

    /// @notice Whether the requester has signed; if it is a contract, by ERC-1271.
    function isSigned(IGenerationOracle.DelegatedImage calldata it, bytes calldata signature)
        external
        view
        returns (bool)
    {
        bytes32 signed = MessageHashUtils.toTypedDataHash(domain(), hash(it));
        return SignatureChecker.isValidSignatureNowCalldata(it.requester, signed, signature);
    }

    /// @dev The contract is the oracle: a linked library runs in its place.
    function domain() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, keccak256("Quorate"), keccak256("1"), block.chainid, address(this)));
    }

    function hash(IGenerationOracle.DelegatedImage calldata it) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPE,
                it.requester,
                it.modelId,
                hash(it.spec),
                keccak256(abi.encode(TERMS_TYPE, it.terms)),
                it.mostFee,
                it.nonce,
                it.deadline
            )
        );
    }

    function hash(IGenerationOracle.ImageSpec calldata spec) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SPEC_TYPE,
                keccak256(spec.prompt),
                keccak256(spec.negativePrompt),
                spec.width,
                spec.height,
                spec.steps,
                spec.solver,
                spec.guidance,
                spec.seed
            )
        );
    }
}
