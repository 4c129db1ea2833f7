// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IVerifierStakes} from "../src/interfaces/IVerifierStakes.sol";
import {HeaderFixtures} from "./HeaderFixtures.t.sol";

/// @notice The deployed protocol with one model and five seats that are old enough, and the moves of its players.
abstract contract Protocol is Test {
    uint96 internal constant SEAT_STAKE = 1.6 ether;
    uint96 internal constant BOND = SEAT_STAKE / 8;
    uint96 internal constant SHARE = SEAT_STAKE / 160;
    uint8 internal constant ACCEPT = 10;
    uint8 internal constant REJECT = 20;
    uint32 internal constant SEAT_AGE = 5;
    uint32 internal constant UNBONDING = 900;
    address internal constant BURNED = 0x000000000000000000000000000000000000dEaD;
    bytes32 internal constant DIGEST = keccak256("a picture");

    IModelRegistry internal models;
    IVerifierStakes internal stakes;
    IGenerationOracle internal oracle;
    bytes32 internal modelId;

    address internal modelOwner = makeAddr("model owner");
    address internal requester = makeAddr("requester");
    address internal stranger = makeAddr("stranger");

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(20_000_000);
        vm.deal(requester, 1000 ether);

        models = IModelRegistry(deployCode("ModelRegistry.sol:ModelRegistry"));
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        stakes = deployStakes(next, SEAT_AGE);
        oracle = deployOracle(devnet(), 1);
        vm.prank(modelOwner);
        modelId = models.register(emoji(), "emoji-64");
        enrol(5);
        pass(SEAT_AGE);
    }

    /// @dev By name, so that no test has to be compiled with the contracts.
    function deployStakes(address oracle_, uint32 seatAge) internal returns (IVerifierStakes) {
        bytes memory arguments = abi.encode(oracle_, models, seatAge, UNBONDING);
        return IVerifierStakes(deployCode("VerifierStakes.sol:VerifierStakes", arguments));
    }

    function deployOracle(IGenerationOracle.Windows memory windows, uint32 secondsPerBlock)
        internal
        returns (IGenerationOracle)
    {
        bytes memory arguments = abi.encode(stakes, models, windows, secondsPerBlock);
        return IGenerationOracle(deployCode("GenerationOracle.sol:GenerationOracle", arguments));
    }

    // ------------------------------------------------------------------------------------------------------------ terms

    function devnet() internal pure returns (IGenerationOracle.Windows memory) {
        return IGenerationOracle.Windows({seedDelay: 2, drawWindow: 240, commitWindow: 120, revealWindow: 60});
    }

    function profile() internal pure returns (IModelRegistry.ToleranceProfile memory) {
        return IModelRegistry.ToleranceProfile({
            accept: [ACCEPT, ACCEPT, ACCEPT, ACCEPT], reject: [REJECT, REJECT, REJECT, REJECT], evidence: 0
        });
    }

    function emoji() internal view returns (IModelRegistry.Model memory) {
        return IModelRegistry.Model({
            manifestHash: keccak256("manifest"),
            kind: IModelRegistry.Kind.Image,
            profile: profile(),
            bounds: IModelRegistry.ImageBounds({
                minSide: 64, maxSide: 128, sideStep: 8, maxSteps: 100, maxGuidance: 20_000
            }),
            seatStake: SEAT_STAKE,
            owner: modelOwner
        });
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

    function terms(uint8 committeeSize) internal pure returns (IGenerationOracle.Terms memory) {
        return IGenerationOracle.Terms({committeeSize: committeeSize, fixedSeed: false, share: SHARE});
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
        uint256 first = stakes.slotCount(modelId);
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

    function request(IGenerationOracle.Terms memory of_) internal returns (bytes32) {
        vm.prank(requester);
        return oracle.requestImage{value: uint256(of_.committeeSize) * of_.share}(modelId, spec(), of_);
    }

    /// @notice Mines the job's seed block with a header of its own.
    function seed(bytes32 jobId) internal returns (bytes memory header) {
        uint256 seedBlock = oracle.job(jobId).seedBlock;
        header = HeaderFixtures.encode(seedBlock, keccak256(abi.encode("randao", jobId)));
        if (vm.getBlockNumber() <= seedBlock) pass(seedBlock + 1 - vm.getBlockNumber());
        vm.setBlockhash(seedBlock, keccak256(header));
    }

    function requestAndDraw(uint8 committeeSize) internal returns (bytes32 jobId) {
        jobId = request(committeeSize);
        oracle.draw(jobId, seed(jobId));
    }

    function contentHashOf(uint256 member) internal pure returns (bytes32) {
        return keccak256(abi.encode("file", member));
    }

    function saltOf(bytes32 jobId, uint256 member) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", jobId, member));
    }

    function commitment(bytes32 jobId, uint256 member, bytes32 digest) internal view returns (bytes32) {
        uint32 seat = oracle.votes(jobId)[member].seat;
        return oracle.commitmentOf(jobId, 1, seat, digest, contentHashOf(member), saltOf(jobId, member));
    }

    function commit(bytes32 jobId, uint256 member, bytes32 digest) internal {
        bytes32 hash = commitment(jobId, member, digest);
        bytes32 drawSeed = oracle.job(jobId).drawSeed;
        vm.prank(oracle.votes(jobId)[member].operator);
        oracle.commit(jobId, member, drawSeed, hash);
    }

    function decline(bytes32 jobId, uint256 member) internal {
        vm.prank(oracle.votes(jobId)[member].operator);
        oracle.decline(jobId, member);
    }

    function reveal(bytes32 jobId, uint256 member, bytes32 digest) internal {
        vm.prank(oracle.votes(jobId)[member].operator);
        oracle.reveal(jobId, member, digest, contentHashOf(member), saltOf(jobId, member));
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
        commitAll(jobId, digests);
        revealAll(jobId, digests);
    }

    // ------------------------------------------------------------------------------------------------------- the clocks

    function closeCommits(bytes32 jobId) internal {
        vm.warp(oracle.job(jobId).commitDeadline);
    }

    function closeReveals(bytes32 jobId) internal {
        vm.warp(oracle.job(jobId).revealDeadline);
    }

    function assertPhase(bytes32 jobId, IGenerationOracle.Phase expected) internal view {
        assertEq(uint8(oracle.job(jobId).phase), uint8(expected));
    }

    function assertOutcome(bytes32 jobId, IGenerationOracle.Outcome expected) internal view {
        assertEq(uint8(oracle.job(jobId).outcome), uint8(expected));
    }

    function expectWrongPhase(bytes32 jobId, IGenerationOracle.Phase expected, IGenerationOracle.Phase actual)
        internal
    {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongPhase.selector, jobId, expected, actual));
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
