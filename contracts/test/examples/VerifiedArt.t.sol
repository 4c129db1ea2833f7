// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Protocol} from "../Protocol.t.sol";

interface IVerifiedArt is IERC721 {
    error NotOracle(address caller);
    error NotFinal(bytes32 jobId);
    error NotAccepted(bytes32 jobId);
    error OtherModel(bytes32 modelId);
    error SafeValueTooSmall(uint256 safeValue, uint256 least);
    error WrongProof(uint256 tokenId);

    event AigcData(uint256 indexed tokenId, bytes indexed prompt, bytes indexed aigcData, bytes proof);

    function mint(IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict) external;
    function onVerdict(bytes32 jobId, IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict)
        external;
    function digestOf(uint256 tokenId) external view returns (bytes32);
    function verify(bytes calldata prompt, bytes calldata aigcData, bytes calldata proof) external view returns (bool);
    function addAigcData(uint256 tokenId, bytes calldata prompt, bytes calldata aigcData, bytes calldata proof) external;
    function tokenURI(uint256 tokenId) external view returns (string memory);
}

contract VerifiedArtTest is Protocol {
    IVerifiedArt internal art;

    function setUp() public override {
        super.setUp();
        enrol(20);
        pass(2 * SEAT_AGE);
        art = deployArt(modelId, 2 * uint256(BOND) * 7 / 10);
    }

    function deployArt(bytes32 model, uint256 leastSafeValue) internal returns (IVerifiedArt) {
        bytes memory arguments = abi.encode("Verified art", "ART", oracle, model, leastSafeValue);
        return IVerifiedArt(deployCode("VerifiedArt.sol:VerifiedArt", arguments));
    }

    function settled(address consumer, bytes32[] memory digests)
        internal
        returns (bytes32 jobId, IGenerationOracle.Verdict memory verdict)
    {
        IGenerationOracle.Terms memory asked = terms(3);
        (asked.consumer, asked.consumerGas) = (consumer, consumer == address(0) ? 0 : 300_000);
        jobId = request(asked);
        draw(jobId);
        vote(jobId, digests);
        closeAppeals(jobId);
        (bytes32 digest, uint256 supporters) = lens.winnerOf(jobOf(jobId), roundOf(jobId));
        (uint256 safeValue,) = lens.safeValueOf(jobOf(jobId));
        verdict = IGenerationOracle.Verdict({
            outcome: supporters > 0 ? IGenerationOracle.Outcome.Accepted : IGenerationOracle.Outcome.Unresolved,
            digest: digest,
            round: 1,
            supporters: uint8(supporters),
            safeValue: safeValue
        });
        settle(jobId);
    }

    function test_deliver_mintsToTheRequester() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(art), three(DIGEST, DIGEST, DIGEST));
        oracle.deliver(jobOf(jobId), verdict);

        assertEq(art.ownerOf(uint256(jobId)), requester);
        assertEq(art.digestOf(uint256(jobId)), DIGEST);
        assertGt(bytes(art.tokenURI(uint256(jobId))).length, 100);
    }

    function test_mint_withoutDelivery() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.prank(stranger);
        art.mint(job, verdict);

        assertEq(art.ownerOf(uint256(jobId)), requester);

        vm.expectRevert();
        art.mint(job, verdict);
    }

    function test_mint_failsBeforeTheVerdictIsFinal() public {
        bytes32 jobId = requestAndDraw(3);
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Verdict memory early = IGenerationOracle.Verdict({
            outcome: IGenerationOracle.Outcome.Accepted, digest: DIGEST, round: 1, supporters: 3, safeValue: 1 ether
        });
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.NotFinal.selector, jobId));
        art.mint(job, early);
    }

    function test_mint_failsForAnotherDigest() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        verdict.digest = flip(DIGEST, 0, 1);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.NotFinal.selector, jobId));
        art.mint(job, verdict);
    }

    function test_mint_failsUnlessAccepted() public {
        bytes32[] memory apart = three(DIGEST, ~DIGEST & BITS, DIGEST ^ bytes32(type(uint256).max << 128));
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), apart);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.NotAccepted.selector, jobId));
        art.mint(job, verdict);
    }

    function test_mint_failsBelowTheSafeValue() public {
        IVerifiedArt dear = deployArt(modelId, 100 ether);
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.SafeValueTooSmall.selector, verdict.safeValue, 100 ether));
        dear.mint(job, verdict);
    }

    function test_mint_failsForAnotherModel() public {
        IVerifiedArt other = deployArt(keccak256("another model"), 0);
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.OtherModel.selector, modelId));
        other.mint(job, verdict);
    }

    function test_onVerdict_isTheOraclesToSend() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.NotOracle.selector, stranger));
        vm.prank(stranger);
        art.onVerdict(jobId, job, verdict);
    }

    function test_verify_bindsPromptAndDigest() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        bytes memory proof = abi.encode(jobOf(jobId), spec());
        assertFalse(art.verify(spec().prompt, abi.encode(DIGEST), proof));

        art.mint(jobOf(jobId), verdict);
        assertTrue(art.verify(spec().prompt, abi.encode(DIGEST), proof));
        assertFalse(art.verify("a green apple", abi.encode(DIGEST), proof));
        assertFalse(art.verify(spec().prompt, abi.encode(~DIGEST), proof));

        IGenerationOracle.ImageSpec memory forged = spec();
        forged.prompt = "a green apple";
        assertFalse(art.verify(forged.prompt, abi.encode(DIGEST), abi.encode(jobOf(jobId), forged)));
    }

    function test_addAigcData_publishesWhatIsProved() public {
        (bytes32 jobId, IGenerationOracle.Verdict memory verdict) = settled(address(0), three(DIGEST, DIGEST, DIGEST));
        art.mint(jobOf(jobId), verdict);
        bytes memory proof = abi.encode(jobOf(jobId), spec());
        vm.expectEmit(address(art));
        emit IVerifiedArt.AigcData(uint256(jobId), spec().prompt, abi.encode(DIGEST), proof);
        art.addAigcData(uint256(jobId), spec().prompt, abi.encode(DIGEST), proof);

        vm.expectRevert(abi.encodeWithSelector(IVerifiedArt.WrongProof.selector, uint256(1)));
        art.addAigcData(1, spec().prompt, abi.encode(DIGEST), proof);
    }

    function test_supportsInterface_erc721AndErc7007() public view {
        assertTrue(art.supportsInterface(0x80ac58cd));
        assertTrue(art.supportsInterface(0x702c55a6));
    }
}
