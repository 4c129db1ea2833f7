// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";
import {Texts} from "./Texts.t.sol";
import {TypedData} from "./TypedData.t.sol";

/// @notice What is true of all delegations is in `RequestImageFor.t.sol`.
contract RequestTextForTest is Texts, TypedData {
    address internal signer;
    uint256 internal key;

    function setUp() public override(Texts, Protocol) {
        super.setUp();
        (signer, key) = makeAddrAndKey("signer");
        hoax(signer, 10 ether);
        oracle.deposit{value: 10 ether}();
    }

    function test_requestTextFor_isPaidByTheSigner() public {
        uint256 before = oracle.balanceOf(signer);
        vm.recordLogs();
        vm.prank(stranger);
        bytes32 jobId = oracle.requestTextFor(delegated(), sign(delegated()));
        remember();

        assertEq(jobOf(jobId).requester, signer);
        assertEq(oracle.balanceOf(signer), before - lens.quoteText(modelId, text(), terms(3)).fee);
    }

    function test_requestTextFor_failsTwice() public {
        bytes memory signature = sign(delegated());
        oracle.requestTextFor(delegated(), signature);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.NonceUsed.selector, signer, 7));
        oracle.requestTextFor(delegated(), signature);
    }

    function test_requestTextFor_failsOverThePricePaidOrTheTime() public {
        IGenerationOracle.DelegatedText memory it = delegated();
        it.mostFee = 1;
        bytes memory signature = sign(it);
        uint256 fee = lens.quoteText(modelId, text(), terms(3)).fee;
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.FeeAboveLimit.selector, fee, 1));
        oracle.requestTextFor(it, signature);

        it = delegated();
        signature = sign(it);
        vm.warp(it.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.DelegationOver.selector, it.deadline));
        oracle.requestTextFor(it, signature);
    }

    function test_requestTextFor_bindsEveryPartOfTheText() public {
        bytes memory signature = sign(delegated());
        for (uint256 part; part < 7; ++part) {
            IGenerationOracle.DelegatedText memory it = delegated();
            if (part == 0) it.spec.messages[0].role = IGenerationOracle.Role.User;
            if (part == 1) it.spec.messages[1].content = "Why is the sea blue?";
            if (part == 2) it.spec.maxTokens = 65;
            if (part == 3) it.spec.beams = 2;
            if (part == 4) it.spec.stops[0] = ".";
            if (part == 5) it.spec.stops = new bytes[](0);
            if (part == 6) it.terms.committeeSize = 5;
            vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongSignature.selector, signer));
            oracle.requestTextFor(it, signature);
        }
    }

    // ---------------------------------------------------------------------------------------------------------- delegating

    function delegated() internal view returns (IGenerationOracle.DelegatedText memory) {
        return IGenerationOracle.DelegatedText({
            requester: signer,
            modelId: modelId,
            spec: text(),
            terms: terms(3),
            mostFee: 1 ether,
            nonce: 7,
            deadline: vm.getBlockTimestamp() + 1 hours
        });
    }

    function sign(IGenerationOracle.DelegatedText memory it) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, vm.eip712HashTypedData(typedData(it)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev The spec is `text()` but for what the tests change.
    function typedData(IGenerationOracle.DelegatedText memory it) internal view returns (string memory) {
        string memory spec_ = string.concat(
            '"spec":{"messages":[{"role":0,"content":"',
            vm.toString(it.spec.messages[0].content),
            '"},{"role":1,"content":"',
            vm.toString(it.spec.messages[1].content),
            '"}],"maxTokens":64,"beams":1,"stops":["',
            vm.toString(it.spec.stops[0]),
            '"]}'
        );
        string memory amounts = amountsData(it.mostFee, it.nonce, it.deadline);
        string memory message = delegationData(it.requester, it.modelId, spec_, termsData(it.terms), amounts);
        return string.concat("{", types(), ",", domainData(), ",", message, "}");
    }

    function types() internal pure returns (string memory) {
        return string.concat(
            '"primaryType":"DelegatedText","types":{',
            DOMAIN_FIELDS,
            ",",
            delegationFields("DelegatedText", "TextSpec"),
            ',"Message":[{"name":"role","type":"uint8"},{"name":"content","type":"bytes"}],',
            '"TextSpec":[{"name":"messages","type":"Message[]"},{"name":"maxTokens","type":"uint32"},',
            '{"name":"beams","type":"uint8"},{"name":"stops","type":"bytes[]"}],',
            TERMS_FIELDS,
            "}"
        );
    }
}
