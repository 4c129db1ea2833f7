// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {IGenerationLens} from "../src/interfaces/IGenerationLens.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IRandomness} from "../src/interfaces/IRandomness.sol";
import {IVerifierStakes} from "../src/interfaces/IVerifierStakes.sol";
import {Members} from "../src/libraries/Members.sol";
import {Votes} from "../src/libraries/Votes.sol";
import {Vm} from "forge-std/Vm.sol";
import {HeaderFixtures} from "./HeaderFixtures.t.sol";

/// @notice The deployed protocol with one model and five seats that are old enough, and the moves of its players.
abstract contract Protocol is Test {
    using Members for IGenerationOracle.Member;

    uint96 internal constant SEAT_STAKE = 1.6 ether;
    uint96 internal constant BOND = SEAT_STAKE / 8;
    uint96 internal constant SHARE = SEAT_STAKE / 160;
    uint8 internal constant ACCEPT = 10;
    uint8 internal constant REJECT = 20;
    uint32 internal constant SEAT_AGE = 5;
    uint32 internal constant UNBONDING = 1 hours;
    uint32 internal constant COMMIT_WINDOW = 120;
    uint32 internal constant REVEAL_WINDOW = 60;
    uint32 internal constant APPEAL_WINDOW = 8;
    uint64 internal constant BASE_FEE = 1 gwei;
    address internal constant BURNED = 0x000000000000000000000000000000000000dEaD;
    /// @dev The bits that a digest can have.
    bytes32 internal constant BITS = ~bytes32(uint256(1 << 63));
    bytes32 internal constant DIGEST = keccak256("a picture") & BITS;

    IModelRegistry internal models;
    IRandomness internal randomness;
    IVerifierStakes internal stakes;
    IGenerationOracle internal oracle;
    IGenerationLens internal lens;
    bytes32 internal modelId;
    /// @dev By job id: its `Job`, and the latest `Round` drawn, ABI-encoded, from the events.
    mapping(bytes32 jobId => bytes) private _jobs;
    mapping(bytes32 jobId => bytes) private _rounds;

    address internal modelOwner = makeAddr("model owner");
    address internal requester = makeAddr("requester");
    address internal stranger = makeAddr("stranger");

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(20_000_000);
        vm.deal(requester, 1000 ether);

        vm.fee(BASE_FEE);
        models = IModelRegistry(deployCode("ModelRegistry.sol:ModelRegistry"));
        randomness = IRandomness(deployCode("RandaoRandomness.sol:RandaoRandomness", abi.encode(uint32(2), uint32(1))));
        oracle = deployOracle(devnet(), SEAT_AGE, UNBONDING);
        stakes = IVerifierStakes(address(oracle));
        lens = IGenerationLens(deployCode("GenerationLens.sol:GenerationLens", abi.encode(oracle)));
        vm.prank(modelOwner);
        modelId = models.register(emoji(), "emoji-64");
        enrol(5);
        pass(2 * SEAT_AGE);
    }

    /// @dev By name, so that no test has to be compiled with the contracts.
    function deployOracle(IGenerationOracle.Windows memory windows, uint32 seatAge, uint32 unbonding)
        internal
        returns (IGenerationOracle)
    {
        bytes memory arguments = abi.encode(models, randomness, windows, seatAge, unbonding);
        return IGenerationOracle(deployCode("GenerationOracle.sol:GenerationOracle", arguments));
    }

    // ------------------------------------------------------------------------------------------------------------ terms

    function devnet() internal pure returns (IGenerationOracle.Windows memory) {
        return IGenerationOracle.Windows({
            draw: 60, commit: COMMIT_WINDOW, mostCommit: 300, reveal: REVEAL_WINDOW, appeal: APPEAL_WINDOW
        });
    }

    function emoji() internal view returns (IModelRegistry.Model memory) {
        return IModelRegistry.Model({
            manifestHash: keccak256("manifest"),
            evidence: 0,
            owner: modelOwner,
            seatStake: SEAT_STAKE,
            kind: IModelRegistry.Kind.Image,
            accept: bytes4(0x01010101 * uint32(ACCEPT)),
            reject: bytes4(0x01010101 * uint32(REJECT)),
            price: 1 gwei,
            time: 10_000,
            royalty: 0,
            minSide: 64,
            maxSide: 128,
            sideStep: 8,
            maxSteps: 100,
            maxGuidance: 20_000,
            maxTokens: 0,
            maxBeams: 0
        });
    }

    function writer() internal view returns (IModelRegistry.Model memory model) {
        model = emoji();
        (model.manifestHash, model.kind) = (keccak256("another manifest"), IModelRegistry.Kind.Text);
        (model.accept, model.reject) = (0, 0x40404040);
        (model.minSide, model.maxSide, model.sideStep, model.maxSteps, model.maxGuidance) = (0, 0, 0, 0, 0);
        (model.maxTokens, model.maxBeams) = (256, 8);
    }

    function spec() internal pure returns (IGenerationOracle.ImageSpec memory) {
        return IGenerationOracle.ImageSpec({
            prompt: "a red apple",
            negativePrompt: "",
            width: 64,
            height: 64,
            steps: 20,
            solver: IGenerationOracle.Solver.Ddim,
            guidance: 7500,
            seed: keccak256("spec seed")
        });
    }

    function text() internal pure returns (IGenerationOracle.TextSpec memory it) {
        it.messages = new IGenerationOracle.Message[](2);
        it.messages[0] = IGenerationOracle.Message(IGenerationOracle.Role.System, "Be brief.");
        it.messages[1] = IGenerationOracle.Message(IGenerationOracle.Role.User, "Why is the sky blue?");
        (it.maxTokens, it.beams, it.stops) = (64, 1, new bytes[](1));
        it.stops[0] = "\n\n";
    }

    function terms(uint8 committeeSize) internal pure returns (IGenerationOracle.Terms memory) {
        return IGenerationOracle.Terms({
            committeeSize: committeeSize,
            superMajority: false,
            fixedSeed: false,
            share: SHARE,
            commitWindow: COMMIT_WINDOW,
            consumer: address(0),
            consumerGas: 0
        });
    }

    // ------------------------------------------------------------------------------------------------------- the owners

    /// @dev Seat `i` has an owner and an operator of its own.
    function ownerOf(uint256 seat) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("owner", seat)))));
    }

    function operatorOf(uint256 seat) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("operator", seat)))));
    }

    function enrol(uint256 count) internal {
        uint256 first = stakes.poolOf(modelId).slots;
        for (uint256 seat = first; seat < first + count; ++seat) {
            address operator = operatorOf(seat);
            hoax(ownerOf(seat), SEAT_STAKE);
            stakes.enrol{value: SEAT_STAKE}(modelId, operator);
        }
    }

    function stakeOf(uint32 seat) internal view returns (uint96) {
        return stakes.seatOf(modelId, seat).stake;
    }

    // ------------------------------------------------------------------------------------------------------- the phases

    function pass(uint256 blocks) internal {
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + blocks);
    }

    function request(uint8 committeeSize) internal returns (bytes32) {
        return request(terms(committeeSize));
    }

    function request(IGenerationOracle.Terms memory of_) internal returns (bytes32 jobId) {
        uint256 fee = lens.quoteImage(modelId, spec(), of_).fee;
        vm.recordLogs();
        vm.prank(requester);
        jobId = oracle.requestImage{value: fee}(modelId, spec(), of_);
        remember();
    }

    /// @notice Takes note of the jobs and rounds in the events since `vm.recordLogs`.
    function remember() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IGenerationOracle.ImageRequested.selector) {
                (IGenerationOracle.Job memory job,) =
                    abi.decode(logs[i].data, (IGenerationOracle.Job, IGenerationOracle.ImageSpec));
                _jobs[logs[i].topics[1]] = abi.encode(job);
            }
            if (logs[i].topics[0] == IGenerationOracle.TextRequested.selector) {
                (IGenerationOracle.Job memory job,) =
                    abi.decode(logs[i].data, (IGenerationOracle.Job, IGenerationOracle.TextSpec));
                _jobs[logs[i].topics[1]] = abi.encode(job);
            }
            if (logs[i].topics[0] == IGenerationOracle.Drawn.selector) {
                (IGenerationOracle.Round memory round,) = abi.decode(logs[i].data, (IGenerationOracle.Round, uint40));
                _rounds[logs[i].topics[1]] = abi.encode(round);
            }
        }
    }

    function jobOf(bytes32 jobId) internal view returns (IGenerationOracle.Job memory) {
        return abi.decode(_jobs[jobId], (IGenerationOracle.Job));
    }

    /// @notice The latest drawn.
    function roundOf(bytes32 jobId) internal view returns (IGenerationOracle.Round memory) {
        return abi.decode(_rounds[jobId], (IGenerationOracle.Round));
    }

    /// @notice Mines the block that the job's latest round waits for, with a header of its own.
    function seed(bytes32 jobId) internal returns (bytes memory header) {
        uint256 seedBlock = lens.roundOf(jobOf(jobId)).randomnessId;
        header = HeaderFixtures.encode(seedBlock, keccak256(abi.encode("randao", jobId, seedBlock)));
        if (vm.getBlockNumber() <= seedBlock) pass(seedBlock + 1 - vm.getBlockNumber());
        vm.setBlockhash(seedBlock, keccak256(header));
    }

    function draw(bytes32 jobId) internal {
        bytes memory header = seed(jobId);
        vm.recordLogs();
        oracle.draw(jobOf(jobId), header);
        remember();
    }

    function requestAndDraw(uint8 committeeSize) internal returns (bytes32 jobId) {
        jobId = request(committeeSize);
        draw(jobId);
    }

    function contentHashOf(uint256 member) internal pure returns (bytes32) {
        return keccak256(abi.encode("file", member));
    }

    function saltOf(bytes32 jobId, uint256 member) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", jobId, member));
    }

    function openingOf(bytes32 jobId, uint256 member, bytes32 digest)
        internal
        pure
        returns (IGenerationOracle.Opening memory)
    {
        return IGenerationOracle.Opening({
            digest: digest, contentHash: contentHashOf(member), salt: saltOf(jobId, member)
        });
    }

    function commitment(bytes32 jobId, uint256 member, bytes32 digest) internal view returns (bytes32) {
        IGenerationOracle.Round memory round = roundOf(jobId);
        uint32 seat = round.members[member].seat();
        return oracle.commitmentOf(jobId, round.number, seat, openingOf(jobId, member, digest));
    }

    /// @notice What the slot holds before the reveal.
    function sealOf(bytes32 jobId, uint256 member, bytes32 digest) internal view returns (bytes32) {
        return Votes.seal(jobId, roundOf(jobId).number, member, commitment(jobId, member, digest));
    }

    function commit(bytes32 jobId, uint256 member, bytes32 digest) internal {
        bytes32 hash = commitment(jobId, member, digest);
        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.prank(round.members[member].operator());
        oracle.commit(jobId, round, member, hash);
    }

    function decline(bytes32 jobId, uint256 member) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        vm.prank(round.members[member].operator());
        oracle.decline(jobId, round, member);
    }

    /// @notice The call that opens a member's commitment in the latest round.
    function revealCall(bytes32 jobId, uint256 member, IGenerationOracle.Opening memory opening)
        internal
        view
        returns (bytes memory)
    {
        IGenerationOracle.Round memory round = roundOf(jobId);
        uint256 slot = round.members[member].slot();
        return abi.encodeCall(oracle.reveal, (jobId, round.number, member, slot, opening));
    }

    function reveal(bytes32 jobId, uint256 member, bytes32 digest) internal {
        IGenerationOracle.Round memory round = roundOf(jobId);
        oracle.reveal(jobId, round.number, member, round.members[member].slot(), openingOf(jobId, member, digest));
    }

    function commitAll(bytes32 jobId, bytes32[] memory digests) internal {
        for (uint256 member; member < digests.length; ++member) {
            commit(jobId, member, digests[member]);
        }
    }

    function revealAll(bytes32 jobId, bytes32[] memory digests) internal {
        for (uint256 member; member < digests.length; ++member) {
            reveal(jobId, member, digests[member]);
        }
    }

    /// @notice A job in which every member reveals the digest given for it, up to the settlement.
    function decided(bytes32[] memory digests) internal returns (bytes32 jobId) {
        jobId = requestAndDraw(uint8(digests.length));
        vote(jobId, digests);
        closeAppeals(jobId);
    }

    function vote(bytes32 jobId, bytes32[] memory digests) internal {
        commitAll(jobId, digests);
        revealAll(jobId, digests);
    }

    function settle(bytes32 jobId) internal {
        oracle.settle(jobOf(jobId), roundOf(jobId));
    }

    // ------------------------------------------------------------------------------------------------------- the clocks

    function closeCommits(bytes32 jobId) internal {
        vm.warp(lens.roundOf(jobOf(jobId)).deadline);
        assertPhase(jobId, IGenerationOracle.Phase.Reveal);
    }

    /// @dev Of whichever phase it is in.
    function closePhase(bytes32 jobId) internal {
        vm.warp(lens.roundOf(jobOf(jobId)).deadline);
    }

    function closeAppeals(bytes32 jobId) internal {
        while (lens.roundOf(jobOf(jobId)).phase != IGenerationOracle.Phase.Settle) {
            closePhase(jobId);
        }
    }

    function phaseOf(bytes32 jobId) internal view returns (IGenerationOracle.Phase) {
        return lens.roundOf(jobOf(jobId)).phase;
    }

    function assertPhase(bytes32 jobId, IGenerationOracle.Phase expected) internal view {
        assertEq(uint8(phaseOf(jobId)), uint8(expected));
    }

    function expectWrongPhase(IGenerationOracle.Phase expected) internal {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongPhase.selector, expected));
    }

    // ------------------------------------------------------------------------------------------------------ the digests

    /// @notice `digest` with `bits` bits turned over in `lane`, counted from the most significant.
    function flip(bytes32 digest, uint256 lane, uint256 bits) internal pure returns (bytes32) {
        return digest ^ bytes32(((1 << bits) - 1) << (64 * (3 - lane)));
    }

    function three(bytes32 a, bytes32 b, bytes32 c) internal pure returns (bytes32[] memory digests) {
        digests = new bytes32[](3);
        (digests[0], digests[1], digests[2]) = (a, b, c);
    }
}
