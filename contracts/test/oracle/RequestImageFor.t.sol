// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {TypedData} from "./TypedData.t.sol";

contract RequestImageForTest is TypedData {
    uint256 internal constant FEE = 3 * uint256(SHARE) + 255_000 * 2 * uint256(BASE_FEE);

    address internal signer;
    uint256 internal key;

    function setUp() public override {
        super.setUp();
        (signer, key) = makeAddrAndKey("signer");
        fund(signer, 1 ether);
    }

    function test_requestImageFor_isPaidByTheSignerWhoeverSendsIt() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);

        vm.recordLogs();
        vm.prank(stranger);
        bytes32 jobId = oracle.requestImageFor(it, sign(it));
        remember();

        assertEq(jobOf(jobId).requester, signer);
        assertEq(jobOf(jobId).nonce, 0);
        assertEq(oracle.balanceOf(signer), 1 ether - FEE);
        assertEq(oracle.balanceOf(stranger), 0);
        assertPhase(jobId, IGenerationOracle.Phase.Requested);
    }

    /// @dev Against forge's own EIP-712, which reads the types from JSON as a wallet does.
    function test_requestImageFor_takesWhatAWalletSigns() public {
        IGenerationOracle.DelegatedImage memory it = delegated(7);
        assertEq(digestOf(it), vm.eip712HashTypedData(typedData(it)));
    }

    // -------------------------------------------------------------------------------------------------------- the deadline

    function test_requestImageFor_worksInTheSecondOfTheDeadline() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        vm.warp(it.deadline);
        oracle.requestImageFor(it, sign(it));
    }

    function test_requestImageFor_failsAfterTheDeadline() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        bytes memory signature = sign(it);
        vm.warp(it.deadline + 1);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.DelegationOver.selector, it.deadline));
        oracle.requestImageFor(it, signature);
    }

    // ---------------------------------------------------------------------------------------------------------- the nonces

    function testFuzz_requestImageFor_takesNoncesInAnyOrderAndOnce(uint256 a, uint256 b) public {
        vm.assume(a != b);
        take(delegated(a));
        take(delegated(b));

        failsAsUsed(delegated(a));
        failsAsUsed(delegated(b));
    }

    function testFuzz_requestImageFor_takesNeighbouringNonces(uint8 first, uint8 second) public {
        vm.assume(first != second);
        take(delegated(first));
        take(delegated(second));
    }

    function test_requestImageFor_leavesANonceToEverySigner() public {
        take(delegated(3));
        (address other, uint256 otherKey) = makeAddrAndKey("other");
        fund(other, 1 ether);
        IGenerationOracle.DelegatedImage memory it = delegated(3);
        it.requester = other;

        oracle.requestImageFor(it, signWith(otherKey, it));
    }

    function test_requestImageFor_doesNotUseANonceThatFails() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.mostFee = FEE - 1;
        bytes memory signature = sign(it);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.FeeAboveLimit.selector, FEE, FEE - 1));
        oracle.requestImageFor(it, signature);

        take(delegated(0));
    }

    // ------------------------------------------------------------------------------------------------------ the signature

    function test_requestImageFor_failsOnAnotherChain() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        bytes memory signature = sign(it);
        vm.chainId(block.chainid + 1);
        failsAsUnsigned(it, signature);
    }

    function test_requestImageFor_failsAtAnotherContract() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        bytes memory signature = sign(it);
        oracle = deployOracle(devnet(), SEAT_AGE, UNBONDING);
        failsAsUnsigned(it, signature);
    }

    function testFuzz_requestImageFor_failsIfAnythingElseWasSigned(uint256 field, uint256 other) public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        bytes memory signature = sign(it);
        bytes32 signed = digestOf(it);
        change(it, bound(field, 0, 20), other);
        vm.assume(digestOf(it) != signed);
        failsAsUnsigned(it, signature);
    }

    function test_requestImageFor_failsIfSomebodyElseSigned() public {
        (, uint256 otherKey) = makeAddrAndKey("other");
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        failsAsUnsigned(it, signWith(otherKey, it));
    }

    function testFuzz_requestImageFor_failsWithGarbage(bytes memory garbage) public {
        failsAsUnsigned(delegated(0), garbage);
    }

    function test_requestImageFor_hasNoNobodyForASigner() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.requester = address(0);
        failsAsUnsigned(it, new bytes(65));
    }

    // ------------------------------------------------------------------------------------------------------------ wallets

    function test_requestImageFor_takesWhatAWalletContractAccepts() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.requester = address(new Wallet(signer));
        fund(it.requester, 1 ether);

        oracle.requestImageFor(it, sign(it));

        assertEq(oracle.balanceOf(it.requester), 1 ether - FEE);
    }

    function test_requestImageFor_failsIfAWalletContractRefuses() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.requester = address(new Wallet(stranger));
        failsAsUnsigned(it, sign(it));

        it.requester = address(models);
        failsAsUnsigned(it, sign(it));
    }

    // ------------------------------------------------------------------------------------------------------------ the fee

    function testFuzz_requestImageFor_takesNoMoreThanTheSignersLimit(uint256 limit) public {
        limit = bound(limit, 0, 2 * FEE);
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.mostFee = limit;
        bytes memory signature = sign(it);

        if (limit < FEE) {
            vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.FeeAboveLimit.selector, FEE, limit));
        }
        oracle.requestImageFor(it, signature);
    }

    function test_requestImageFor_failsIfTheBaseFeeHasRisenAboveTheLimit() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.mostFee = FEE;
        bytes memory signature = sign(it);
        vm.fee(2 * BASE_FEE);

        uint256 risen = FEE + 255_000 * 2 * uint256(BASE_FEE);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.FeeAboveLimit.selector, risen, FEE));
        oracle.requestImageFor(it, signature);
    }

    function test_requestImageFor_failsIfTheSignersBalanceIsTooSmall() public {
        vm.prank(signer);
        oracle.withdraw(payable(signer));
        fund(signer, FEE - 1);
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        bytes memory signature = sign(it);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.BalanceTooSmall.selector, signer, FEE - 1, FEE));
        oracle.requestImageFor(it, signature);
    }

    function test_requestImageFor_checksTheTerms() public {
        IGenerationOracle.DelegatedImage memory it = delegated(0);
        it.terms.committeeSize = 4;
        bytes memory signature = sign(it);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongCommitteeSize.selector, 4));
        oracle.requestImageFor(it, signature);
    }

    // ---------------------------------------------------------------------------------------------------------- delegating

    function fund(address account, uint256 amount) internal {
        hoax(account, amount);
        oracle.deposit{value: amount}();
    }

    function delegated(uint256 nonce) internal view returns (IGenerationOracle.DelegatedImage memory) {
        return IGenerationOracle.DelegatedImage({
            requester: signer,
            modelId: modelId,
            spec: spec(),
            terms: terms(3),
            mostFee: 1 ether,
            nonce: nonce,
            deadline: vm.getBlockTimestamp() + 1 hours
        });
    }

    function take(IGenerationOracle.DelegatedImage memory it) internal {
        oracle.requestImageFor(it, sign(it));
    }

    function failsAsUsed(IGenerationOracle.DelegatedImage memory it) internal {
        bytes memory signature = sign(it);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NonceUsed.selector, signer, it.nonce));
        oracle.requestImageFor(it, signature);
    }

    function failsAsUnsigned(IGenerationOracle.DelegatedImage memory it, bytes memory signature) internal {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongSignature.selector, it.requester));
        oracle.requestImageFor(it, signature);
    }

    function change(IGenerationOracle.DelegatedImage memory it, uint256 field, uint256 other) internal view {
        if (field == 0) it.requester = address(uint160(bound(other, 1000, 1 << 150)));
        if (field == 1) it.modelId = bytes32(other);
        if (field == 2) it.mostFee = other;
        if (field == 3) it.nonce = other;
        if (field == 4) it.deadline = bound(other, vm.getBlockTimestamp(), type(uint256).max);
        if (field > 4 && field < 13) changeSpec(it.spec, field, other);
        if (field > 12) changeTerms(it.terms, field, other);
    }

    function changeSpec(IGenerationOracle.ImageSpec memory it, uint256 field, uint256 other) internal pure {
        if (field == 5) it.prompt = abi.encode(other);
        if (field == 6) it.negativePrompt = abi.encode(other);
        if (field == 7) it.width = uint32(other);
        if (field == 8) it.height = uint32(other);
        if (field == 9) it.steps = uint32(other);
        if (field == 10) it.guidance = uint32(other);
        if (field > 10) it.seed = bytes32(other);
    }

    function changeTerms(IGenerationOracle.Terms memory it, uint256 field, uint256 other) internal pure {
        if (field == 13) it.committeeSize = uint8(other);
        if (field == 14) it.superMajority = !it.superMajority;
        if (field == 15) it.fixedSeed = !it.fixedSeed;
        if (field == 16) it.share = uint96(other);
        if (field == 17) it.commitWindow = uint32(other);
        if (field == 18) it.consumer = address(uint160(other));
        if (field > 18) it.consumerGas = uint32(other);
    }

    function sign(IGenerationOracle.DelegatedImage memory it) internal view returns (bytes memory) {
        return signWith(key, it);
    }

    function signWith(uint256 by, IGenerationOracle.DelegatedImage memory it) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(by, digestOf(it));
        return abi.encodePacked(r, s, v);
    }

    // ------------------------------------------------------------------------------------------------------------- EIP-712

    function digestOf(IGenerationOracle.DelegatedImage memory it) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Quorate"),
                keccak256("1"),
                block.chainid,
                address(oracle)
            )
        );
        bytes32 type_ = keccak256(
            "DelegatedImage(address requester,bytes32 modelId,ImageSpec spec,Terms terms,uint256 mostFee,uint256 nonce,uint256 deadline)ImageSpec(bytes prompt,bytes negativePrompt,uint32 width,uint32 height,uint32 steps,uint8 solver,uint32 guidance,bytes32 seed)Terms(uint8 committeeSize,bool superMajority,bool fixedSeed,uint96 share,uint32 commitWindow,address consumer,uint32 consumerGas)"
        );
        bytes32 hash = keccak256(
            abi.encode(
                type_, it.requester, it.modelId, hashOf(it.spec), hashOf(it.terms), it.mostFee, it.nonce, it.deadline
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, hash));
    }

    function hashOf(IGenerationOracle.ImageSpec memory it) internal pure returns (bytes32) {
        bytes32 type_ = keccak256(
            "ImageSpec(bytes prompt,bytes negativePrompt,uint32 width,uint32 height,uint32 steps,uint8 solver,uint32 guidance,bytes32 seed)"
        );
        return keccak256(
            abi.encode(
                type_,
                keccak256(it.prompt),
                keccak256(it.negativePrompt),
                it.width,
                it.height,
                it.steps,
                it.solver,
                it.guidance,
                it.seed
            )
        );
    }

    function hashOf(IGenerationOracle.Terms memory it) internal pure returns (bytes32) {
        bytes32 type_ = keccak256(
            "Terms(uint8 committeeSize,bool superMajority,bool fixedSeed,uint96 share,uint32 commitWindow,address consumer,uint32 consumerGas)"
        );
        return keccak256(
            abi.encode(
                type_,
                it.committeeSize,
                it.superMajority,
                it.fixedSeed,
                it.share,
                it.commitWindow,
                it.consumer,
                it.consumerGas
            )
        );
    }

    function typedData(IGenerationOracle.DelegatedImage memory it) internal view returns (string memory) {
        string memory amounts = amountsData(it.mostFee, it.nonce, it.deadline);
        string memory message =
            delegationData(it.requester, it.modelId, specData(it.spec), termsData(it.terms), amounts);
        return string.concat("{", typesData(), ",", domainData(), ",", message, "}");
    }

    function typesData() internal pure returns (string memory) {
        return string.concat(
            '"primaryType":"DelegatedImage","types":{',
            DOMAIN_FIELDS,
            ",",
            delegationFields("DelegatedImage", "ImageSpec"),
            ',"ImageSpec":[{"name":"prompt","type":"bytes"},{"name":"negativePrompt","type":"bytes"},',
            '{"name":"width","type":"uint32"},{"name":"height","type":"uint32"},{"name":"steps","type":"uint32"},',
            '{"name":"solver","type":"uint8"},{"name":"guidance","type":"uint32"},{"name":"seed","type":"bytes32"}],',
            TERMS_FIELDS,
            "}"
        );
    }

    function specData(IGenerationOracle.ImageSpec memory it) internal pure returns (string memory) {
        return string.concat(
            '"spec":{"prompt":"',
            vm.toString(it.prompt),
            '","negativePrompt":"0x","width":64,"height":64,"steps":20,"solver":0,"guidance":7500,"seed":"',
            vm.toString(it.seed),
            '"}'
        );
    }
}

/// @notice Accepts what its owner signs.
contract Wallet is IERC1271 {
    address private immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(hash, signature) == OWNER ? this.isValidSignature.selector : bytes4(0);
    }
}
