// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice What a requester signs when somebody else sends its request: EIP-712. Linked, so that the
/// oracle keeps below the size of a contract (EIP-170).
library Delegations {
    string private constant IMAGE_SPEC = "ImageSpec(bytes prompt,bytes negativePrompt,uint32 width,uint32 height,"
        "uint32 steps,uint8 solver,uint32 guidance,bytes32 seed)";
    string private constant MESSAGE = "Message(uint8 role,bytes content)";
    string private constant TEXT_SPEC = "TextSpec(Message[] messages,uint32 maxTokens,uint8 beams,bytes[] stops)";
    string private constant TERMS = "Terms(uint8 committeeSize,bool superMajority,bool fixedSeed,uint96 share,"
        "uint32 commitWindow,address consumer,uint32 consumerGas)";
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant IMAGE_SPEC_TYPE = keccak256(bytes(IMAGE_SPEC));
    bytes32 private constant MESSAGE_TYPE = keccak256(bytes(MESSAGE));
    bytes32 private constant TEXT_SPEC_TYPE = keccak256(abi.encodePacked(TEXT_SPEC, MESSAGE));
    bytes32 private constant TERMS_TYPE = keccak256(bytes(TERMS));
    string private constant TYPE = "(address requester,bytes32 modelId,";
    string private constant REST = " spec,Terms terms,uint256 mostFee,uint256 nonce,uint256 deadline)";
    /// @dev The types that a type refers to follow it by name.
    bytes32 private constant IMAGE_TYPE =
        keccak256(abi.encodePacked("DelegatedImage", TYPE, "ImageSpec", REST, IMAGE_SPEC, TERMS));
    bytes32 private constant TEXT_TYPE =
        keccak256(abi.encodePacked("DelegatedText", TYPE, "TextSpec", REST, MESSAGE, TERMS, TEXT_SPEC));

    /// @notice Whether the requester has signed; if it is a contract, by ERC-1271.
    function isSigned(IGenerationOracle.DelegatedImage calldata it, bytes calldata signature)
        external
        view
        returns (bool)
    {
        bytes memory rest = abi.encode(hash(it.terms), it.mostFee, it.nonce, it.deadline);
        return isSigned(IMAGE_TYPE, it.requester, it.modelId, hash(it.spec), rest, signature);
    }

    function isSigned(IGenerationOracle.DelegatedText calldata it, bytes calldata signature)
        external
        view
        returns (bool)
    {
        bytes memory rest = abi.encode(hash(it.terms), it.mostFee, it.nonce, it.deadline);
        return isSigned(TEXT_TYPE, it.requester, it.modelId, hash(it.spec), rest, signature);
    }

    /// @param rest the fields after the spec, one word each
    function isSigned(
        bytes32 kind,
        address requester,
        bytes32 modelId,
        bytes32 spec,
        bytes memory rest,
        bytes calldata signature
    ) private view returns (bool) {
        bytes32 hashed = keccak256(bytes.concat(abi.encode(kind, requester, modelId, spec), rest));
        bytes32 signed = MessageHashUtils.toTypedDataHash(domain(), hashed);
        return SignatureChecker.isValidSignatureNowCalldata(requester, signed, signature);
    }

    function hash(IGenerationOracle.Terms calldata terms) private pure returns (bytes32) {
        return keccak256(abi.encode(TERMS_TYPE, terms));
    }

    /// @dev The contract is the oracle: a linked library runs in its place.
    function domain() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, keccak256("Quorate"), keccak256("1"), block.chainid, address(this)));
    }

    function hash(IGenerationOracle.ImageSpec calldata spec) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                IMAGE_SPEC_TYPE,
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

    function hash(IGenerationOracle.TextSpec calldata spec) private pure returns (bytes32) {
        bytes32[] memory messages = new bytes32[](spec.messages.length);
        for (uint256 i; i < messages.length; ++i) {
            IGenerationOracle.Message calldata message = spec.messages[i];
            messages[i] = keccak256(abi.encode(MESSAGE_TYPE, message.role, keccak256(message.content)));
        }
        bytes32[] memory stops = new bytes32[](spec.stops.length);
        for (uint256 i; i < stops.length; ++i) {
            stops[i] = keccak256(spec.stops[i]);
        }
        return keccak256(
            abi.encode(
                TEXT_SPEC_TYPE,
                keccak256(abi.encodePacked(messages)),
                spec.maxTokens,
                spec.beams,
                keccak256(abi.encodePacked(stops))
            )
        );
    }
}
