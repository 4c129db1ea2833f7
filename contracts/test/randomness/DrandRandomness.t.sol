// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IRandomness} from "../../src/interfaces/IRandomness.sol";
import {Bls} from "../../src/libraries/Bls.sol";
import {DrandRandomness} from "../../src/randomness/DrandRandomness.sol";
import {DrandFixtures} from "../DrandFixtures.t.sol";

contract DrandRandomnessTest is Test {
    using DrandFixtures for bytes;

    /// @dev The order of G1 and G2.
    uint256 internal constant ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    /// @dev A point that the order takes to another than infinity: (4, y), times the order.
    bytes internal constant TORSION = hex"000000000000000000000000000000000ccd40884cb1834492efbd0149a414535890f30477f9535103082ff438ca13d7f7e36e2f1d15dd8ca30397f12170831a"
        hex"00000000000000000000000000000000157112d2c2dfffc1f042dd01e9cc104f0609ada5f5fb621f5eb44c9b1b3174267681bbdea41aacc3af76740445774b94";
    /// @dev On G2's curve and outside of its subgroup: (2, y).
    bytes internal constant OUTSIDE_KEY = hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002"
        hex"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        hex"0000000000000000000000000000000018c6b864ae17dc9da64203ffefb966306425a7bc6aeb7c75247438372716284a4173830420cd476ba1a365b95bfcec38"
        hex"00000000000000000000000000000000172e93db764a8400a7d5071b6b6f5de0da2f0f4a063119abca014006b7c40a2cfe291a1924e65db0d6d0fcfbf3bf3d5c";

    DrandRandomness internal drand;
    /// @dev The signature of round 1000.
    bytes internal point;

    function setUp() public {
        drand = DrandFixtures.quicknet();
        point = DrandFixtures.round1000().signature.decompress();
    }

    // ------------------------------------------------------------------------------------------------------- the network

    /// @dev A chain's hash is over its parameters, so that these are quicknet's if drand's documentation has the hash right.
    function test_quicknet_isTheChainOfThatHash() public pure {
        bytes memory parameters = abi.encodePacked(
            DrandFixtures.PERIOD,
            DrandFixtures.GENESIS,
            DrandFixtures.QUICKNET_KEY_COMPRESSED,
            DrandFixtures.QUICKNET_GROUP,
            "quicknet"
        );
        assertEq(sha256(parameters), DrandFixtures.QUICKNET);
    }

    /// @dev The imaginary part of x first, with the bit of the compressed form set. Whether y is the right one of two, the
    /// rounds tell.
    function test_quicknet_keyIsThePublishedOne() public view {
        (bytes32 realHigh, bytes32 realLow, bytes32 imaginaryHigh, bytes32 imaginaryLow) =
            abi.decode(drand.publicKey(), (bytes32, bytes32, bytes32, bytes32));
        uint128 flagged = uint128(uint256(imaginaryHigh)) | (1 << 127);

        bytes memory compressed = abi.encodePacked(flagged, imaginaryLow, uint128(uint256(realHigh)), realLow);
        assertEq(compressed, DrandFixtures.QUICKNET_KEY_COMPRESSED);
        assertEq(drand.publicKey(), DrandFixtures.QUICKNET_KEY);
    }

    function test_constructor_refusesABadSchedule() public {
        vm.expectRevert(abi.encodeWithSelector(DrandRandomness.BadSchedule.selector, 0, 30));
        new DrandRandomness(DrandFixtures.GENESIS, 0, 30, DrandFixtures.QUICKNET_KEY);
        vm.expectRevert(abi.encodeWithSelector(DrandRandomness.BadSchedule.selector, 3, 29));
        new DrandRandomness(DrandFixtures.GENESIS, 3, 29, DrandFixtures.QUICKNET_KEY);
    }

    function test_constructor_refusesInfinityAsKey() public {
        expectBadKey(new bytes(256));
    }

    function test_constructor_refusesAKeyOfAnotherLength() public {
        expectBadKey("");
        expectBadKey(DrandFixtures.QUICKNET_KEY_COMPRESSED);
        expectBadKey(bytes.concat(DrandFixtures.QUICKNET_KEY, bytes1(0)));
    }

    function test_constructor_refusesAKeyOffTheCurve() public {
        bytes memory key = DrandFixtures.QUICKNET_KEY;
        key[255] ^= 0x01;
        expectBadKey(key);
    }

    function test_constructor_refusesAKeyOutsideOfTheSubgroup() public {
        expectBadKey(OUTSIDE_KEY);
    }

    function test_constructor_namesAMissingPrecompile() public {
        // What a call to an address without code gives.
        vm.mockCall(address(0x0f), new bytes(0), new bytes(0));
        vm.expectRevert(abi.encodeWithSelector(Bls.NoPrecompile.selector, address(0x0f)));
        new DrandRandomness(DrandFixtures.GENESIS, 3, 30, DrandFixtures.QUICKNET_KEY);
    }

    // -------------------------------------------------------------------------------------------------------- the rounds

    function test_next_isTheFirstRoundAfterTheDelay() public {
        // Round 1000 was due at 1 692 806 364.
        vm.warp(1_692_806_334);
        assertEq(drand.next(), 1000);
        vm.warp(1_692_806_335);
        assertEq(drand.next(), 1001);
    }

    function testFuzz_next_isTheFirstRoundAfterTheDelay(uint64 now_, uint32 period, uint32 delay) public {
        period = uint32(bound(period, 1, type(uint32).max));
        delay = uint32(bound(delay, 30, type(uint32).max));
        drand = new DrandRandomness(DrandFixtures.GENESIS, period, delay, DrandFixtures.QUICKNET_KEY);
        now_ = uint64(bound(now_, 0, type(uint40).max));
        vm.warp(now_);

        uint64 id = drand.next();

        assertGe(drand.timeOf(id), uint256(now_) + delay);
        if (id > 1) assertLt(drand.timeOf(id - 1), uint256(now_) + delay);
        assertFalse(drand.isKnown(id));
    }

    function testFuzz_isKnown_fromItsTimeOn(uint64 id, uint64 late) public {
        id = uint64(bound(id, 1, type(uint64).max));
        uint256 time = uint256(DrandFixtures.GENESIS) + (uint256(id) - 1) * 3;

        vm.warp(time - 1);
        assertFalse(drand.isKnown(id));
        vm.warp(time + late);
        assertTrue(drand.isKnown(id));
    }

    function test_isKnown_neverOfRound0() public {
        vm.warp(DrandFixtures.GENESIS + 1000);
        assertFalse(drand.isKnown(0));
    }

    function test_lifetime_isWhatTheTypeHolds() public view {
        assertEq(drand.lifetime(), type(uint32).max);
    }

    // -------------------------------------------------------------------------------------------------------- the values

    function test_randomness_isWhatDrandPublished() public view {
        DrandFixtures.Round[] memory rounds = DrandFixtures.rounds();
        for (uint256 i; i < rounds.length; ++i) {
            bytes memory proof = rounds[i].signature.decompress();
            assertEq(drand.randomness(rounds[i].id, proof), rounds[i].randomness);
        }
    }

    function test_randomness_isThatOfTheKeysNetwork() public {
        DrandFixtures.Round memory round = DrandFixtures.testnetRound();
        bytes memory proof = round.signature.decompress();
        expectRefusal(round.id, proof);

        drand = new DrandRandomness(1_689_232_296, 3, 30, DrandFixtures.TESTNET_KEY);
        assertEq(drand.randomness(round.id, proof), round.randomness);
    }

    function testFuzz_randomness_hashesTheCompressedSignature(uint256 secret, uint64 id) public {
        secret = bound(secret, 1, ORDER - 1);
        drand = new DrandRandomness(DrandFixtures.GENESIS, 3, 30, DrandFixtures.keyOf(secret));
        bytes memory proof = DrandFixtures.sign(secret, id);

        (bytes memory smaller, bytes memory larger) = compressions(proof);
        bytes memory signature = keccak256(larger.decompress()) == keccak256(proof) ? larger : smaller;
        assertEq(signature.decompress(), proof);
        assertEq(drand.randomness(id, proof), sha256(signature));
    }

    function test_randomness_costsLessThan135000Gas() public {
        vm.cool(address(drand));
        bytes memory proof = point;

        uint256 before = gasleft();
        drand.randomness(1000, proof);

        assertLt(before - gasleft(), 135_000);
    }

    // ------------------------------------------------------------------------------------------------------ the forgeries

    function test_randomness_refusesAnotherRoundsSignature() public {
        expectRefusal(999, point);
        expectRefusal(1001, point);
        expectRefusal(0, point);
    }

    function testFuzz_randomness_refusesAnotherRound(uint64 id) public {
        vm.assume(id != 1000);
        expectRefusal(id, point);
    }

    function testFuzz_randomness_refusesAFlippedBit(uint256 bit) public {
        bit = bound(bit, 0, 1023);
        bytes memory proof = point;
        proof[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        expectRefusal(1000, proof);
    }

    /// @dev The network that drand ran before quicknet signed the same messages, but hashed them in another domain.
    function test_randomness_refusesTheSignatureOfAnotherScheme() public {
        bytes memory fastnet =
            hex"b09eacd45767c4d58306b98901ad0d6086e2663766f3a4ec71d00cf26f0f49eaf248abc7151c60cf419c4e8b37e80412";
        expectRefusal(1000, fastnet.decompress());
    }

    function testFuzz_randomness_refusesAnotherGroupsSignature(uint256 secret) public {
        expectRefusal(1000, DrandFixtures.sign(bound(secret, 1, ORDER - 1), 1000));
    }

    function testFuzz_randomness_refusesAnotherLength(uint256 length) public {
        length = bound(length, 0, 512);
        vm.assume(length != 128);
        bytes memory proof = new bytes(length);
        for (uint256 i; i < length && i < 128; ++i) {
            proof[i] = point[i];
        }
        expectRefusal(1000, proof);
    }

    /// @dev Another point, paired with infinity, and the signature behind it: the pairings still multiply to one, and the
    /// value would be that point's.
    function test_randomness_refusesFurtherPairs() public {
        bytes memory another = DrandFixtures.rounds()[0].signature.decompress();
        expectRefusal(1000, bytes.concat(another, new bytes(256), point));
    }

    function test_randomness_refusesTheSignatureAsPublished() public {
        expectRefusal(1000, DrandFixtures.round1000().signature);
    }

    function test_randomness_refusesInfinity() public {
        expectRefusal(1000, new bytes(128));
        // As other encodings write it.
        bytes memory flagged = new bytes(128);
        flagged[16] = 0x40;
        expectRefusal(1000, flagged);
        flagged[16] = 0xc0;
        expectRefusal(1000, flagged);
    }

    /// @dev Were it accepted, the proof's sender would choose between two values.
    function test_randomness_refusesTheNegatedSignature() public {
        expectRefusal(1000, point.negate());
    }

    /// @dev The same point in words, with the modulus added to a coordinate.
    function test_randomness_refusesASecondEncoding() public {
        (uint256 xHigh, uint256 xLow, uint256 yHigh, uint256 yLow) =
            abi.decode(point, (uint256, uint256, uint256, uint256));
        (uint256 high, uint256 low) = DrandFixtures.addP(xHigh, xLow);
        expectRefusal(1000, abi.encode(high, low, yHigh, yLow));
        (high, low) = DrandFixtures.addP(yHigh, yLow);
        expectRefusal(1000, abi.encode(xHigh, xLow, high, low));
    }

    /// @dev A signature plus a point of small order pairs like the signature.
    function test_randomness_refusesPointsOutsideOfTheSubgroup() public {
        (bool sound, bytes memory sum) = address(0x0b).staticcall(bytes.concat(point, TORSION));
        assertTrue(sound);
        expectRefusal(1000, sum);
        expectRefusal(1000, TORSION);
    }

    // ------------------------------------------------------------------------------------------------------- the helpers

    /// @dev With the gas of a transaction: the precompile burns what it is given when it refuses a point.
    function expectRefusal(uint64 id, bytes memory proof) private {
        vm.expectRevert(abi.encodeWithSelector(IRandomness.WrongProof.selector, id));
        drand.randomness{gas: 500_000}(id, proof);
    }

    function expectBadKey(bytes memory key) private {
        vm.expectRevert(abi.encodeWithSelector(DrandRandomness.BadPublicKey.selector, key));
        new DrandRandomness(DrandFixtures.GENESIS, 3, 30, key);
    }

    /// @dev The two signatures that share this x.
    function compressions(bytes memory proof) private pure returns (bytes memory smaller, bytes memory larger) {
        (uint256 high, uint256 low,,) = abi.decode(proof, (uint256, uint256, uint256, uint256));
        smaller = abi.encodePacked(uint128(high | (uint256(4) << 125)), low);
        larger = abi.encodePacked(uint128(high | (uint256(5) << 125)), low);
    }
}
