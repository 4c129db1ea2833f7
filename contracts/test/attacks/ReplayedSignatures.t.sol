// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Attack} from "./Attack.t.sol";

/// @notice A signed request is sent again, elsewhere, later or with other terms.
contract ReplayedSignaturesTest is Attack {
    string internal constant SPEC = "ImageSpec(bytes prompt,bytes negativePrompt,uint32 width,uint32 height,uint32 steps,"
        "uint8 solver,uint32 guidance,bytes32 seed)";
    string internal constant TERMS = "Terms(uint8 committeeSize,bool superMajority,bool fixedSeed,uint96 share,"
        "uint32 commitWindow,address consumer,uint32 consumerGas)";
    string internal constant DELEGATED = "DelegatedImage(address requester,bytes32 modelId,ImageSpec spec,Terms terms,"
        "uint256 mostFee,uint256 nonce,uint256 deadline)";

    address internal signer;
    uint256 internal key;

    function setUp() public override {
        super.setUp();
        (signer, key) = makeAddrAndKey("signer");
        vm.deal(signer, 10 ether);
        vm.prank(signer);
        oracle.deposit{value: 10 ether}();
    }

    function test_replayedSignatures_payOnce() public {
        IGenerationOracle.DelegatedImage memory it = delegated();
        bytes memory signature = sign(it, block.chainid, address(oracle));
        assertTrue(send(it, signature));
        uint256 rich = worth(signer);

        send(it, signature);

        assertEq(worth(signer), rich);
    }

    function test_replayedSignatures_ofAnotherChainOrContract() public {
        IGenerationOracle.DelegatedImage memory it = delegated();
        assertFalse(send(it, sign(it, 1, address(oracle))));
        assertFalse(send(it, sign(it, block.chainid, address(1))));
    }

    function test_replayedSignatures_withOtherTerms() public {
        IGenerationOracle.DelegatedImage memory it = delegated();
        bytes memory signature = sign(it, block.chainid, address(oracle));
        it.terms.share += 1;
        assertFalse(send(it, signature));
    }

    function test_replayedSignatures_afterTheirTimeOrAboveTheirFee() public {
        IGenerationOracle.DelegatedImage memory it = delegated();
        bytes memory signature = sign(it, block.chainid, address(oracle));
        vm.fee(2 * BASE_FEE);
        assertFalse(send(it, signature));
        vm.fee(BASE_FEE);
        vm.warp(it.deadline + 1);
        assertFalse(send(it, signature));
    }

    function delegated() internal view returns (IGenerationOracle.DelegatedImage memory) {
        return IGenerationOracle.DelegatedImage({
            requester: signer,
            modelId: modelId,
            spec: spec(),
            terms: terms(3),
            mostFee: lens.quoteImage(modelId, spec(), terms(3)).fee,
            nonce: 7,
            deadline: vm.getBlockTimestamp() + 60
        });
    }

    function send(IGenerationOracle.DelegatedImage memory it, bytes memory signature) internal returns (bool) {
        return attempt(stranger, abi.encodeCall(oracle.requestImageFor, (it, signature)));
    }

    function sign(IGenerationOracle.DelegatedImage memory it, uint256 chain, address where)
        internal
        view
        returns (bytes memory)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Quorate"),
                keccak256("1"),
                chain,
                where
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, hashOf(it))));
        return abi.encodePacked(r, s, v);
    }

    function hashOf(IGenerationOracle.DelegatedImage memory it) internal pure returns (bytes32) {
        bytes32 ofSpec = keccak256(
            abi.encode(
                keccak256(bytes(SPEC)),
                keccak256(it.spec.prompt),
                keccak256(it.spec.negativePrompt),
                it.spec.width,
                it.spec.height,
                it.spec.steps,
                it.spec.solver,
                it.spec.guidance,
                it.spec.seed
            )
        );
        bytes32 ofTerms = keccak256(abi.encode(keccak256(bytes(TERMS)), it.terms));
        bytes32 kind = keccak256(abi.encodePacked(DELEGATED, SPEC, TERMS));
        return keccak256(abi.encode(kind, it.requester, it.modelId, ofSpec, ofTerms, it.mostFee, it.nonce, it.deadline));
    }
}
