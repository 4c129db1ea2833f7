// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Digests} from "../../src/libraries/Digests.sol";
import {Tally} from "../../src/libraries/Tally.sol";

contract TallyTest is Test {
    bytes32 internal constant HONEST = keccak256("an honest picture");

    // ------------------------------------------------------------------------------------------------------ fairness

    /// @dev The theorem behind the registry's inequality: as long as honest digests accept each other, no number of hostile
    /// ones below the quorum gets an honest one rejected, wherever they lie and however many honest members turn up.
    function testFuzz_verdict_neverRejectsTheHonestForAMinority(uint256 random, uint256 size, uint256 hostile)
        public
        pure
    {
        size = 2 * bound(size, 1, 15) + 1;
        hostile = bound(hostile, 0, Tally.quorum(size) - 1);
        uint256 honest = bound(uint256(keccak256(abi.encode(random))), 0, size - hostile);
        IModelRegistry.ToleranceProfile memory profile = profileOf(random);

        bytes32[] memory digests = new bytes32[](honest + hostile);
        for (uint256 i; i < digests.length; ++i) {
            // Two honest digests are at most twice half of accept apart; hostile ones crowd the edges.
            uint256 most = i < honest ? profile.accept[0] / 2 : [12, 24, 40, 64][random % 4];
            digests[i] = drift(HONEST, uint256(keccak256(abi.encode(random, i))), most);
        }

        (bool accepted,, IGenerationOracle.Zone[] memory zones) = Tally.verdict(profile, size, digests);
        if (honest >= Tally.quorum(size)) assertTrue(accepted);
        for (uint256 i; accepted && i < honest; ++i) {
            assertNotEq(uint8(zones[i]), uint8(IGenerationOracle.Zone.Rejected));
        }
    }

    /// @dev What the inequality is for: five hostile digests pull the winner away, and still nobody honest is rejected.
    function test_verdict_leavesAnHonestOutlierUnslashedWhenTheHostilePullAway() public pure {
        bytes32[] memory digests = new bytes32[](7);
        bytes32 d = flip(HONEST, 0, 0x3f);
        for (uint256 i; i < 3; ++i) {
            digests[i] = HONEST;
        }
        digests[3] = flip(HONEST, 0, 0x3f000);
        digests[4] = d;
        digests[5] = digests[6] = flip(d, 0, 0xfc0);
        IModelRegistry.ToleranceProfile memory profile = same(6, 12);

        (bool accepted, uint256 winner, IGenerationOracle.Zone[] memory zones) = Tally.verdict(profile, 7, digests);

        assertTrue(accepted);
        assertEq(winner, 4);
        assertEq(Digests.distances(d, digests[3])[0], 12);
        assertEq(uint8(zones[3]), uint8(IGenerationOracle.Zone.Grey));
    }

    // ------------------------------------------------------------------------------------------------------------ order

    function testFuzz_verdict_doesNotDependOnTheOrder(uint256 random, uint256 size) public pure {
        size = 2 * bound(size, 1, 7) + 1;
        bytes32[] memory digests = new bytes32[](size);
        for (uint256 i; i < size; ++i) {
            digests[i] = drift(HONEST, uint256(keccak256(abi.encode(random, i))), 8);
        }
        IModelRegistry.ToleranceProfile memory profile = same(10, 20);
        (bool accepted, uint256 winner, IGenerationOracle.Zone[] memory zones) = Tally.verdict(profile, size, digests);

        (bytes32[] memory shuffled, uint256[] memory from) = shuffle(digests, random);
        (bool again, uint256 other, IGenerationOracle.Zone[] memory others) = Tally.verdict(profile, size, shuffled);

        assertEq(again, accepted);
        if (!accepted) return;
        assertEq(shuffled[other], digests[winner]);
        for (uint256 i; i < size; ++i) {
            assertEq(uint8(others[i]), uint8(zones[from[i]]));
        }
    }

    function test_verdict_givesATieToTheSmallerDistance() public pure {
        bytes32[] memory digests = new bytes32[](3);
        (digests[0], digests[1], digests[2]) = (flip(HONEST, 1, 0x1f), HONEST, flip(HONEST, 1, 0x3e0));

        (bool accepted, uint256 winner,) = Tally.verdict(same(10, 20), 3, digests);

        assertTrue(accepted);
        assertEq(winner, 1);
    }

    function test_verdict_givesATieOfEqualsToTheSmallerDigest() public pure {
        bytes32[] memory digests = new bytes32[](2);
        (digests[0], digests[1]) = (bytes32(uint256(3)), bytes32(uint256(2)));

        (bool accepted, uint256 winner,) = Tally.verdict(same(10, 20), 3, digests);

        assertTrue(accepted);
        assertEq(winner, 1);
    }

    // ----------------------------------------------------------------------------------------------------------- quorum

    function testFuzz_verdict_needsTheMajorityOfTheCommittee(uint256 size, uint256 agreeing) public pure {
        size = 2 * bound(size, 1, 15) + 1;
        agreeing = bound(agreeing, 0, size);
        bytes32[] memory digests = new bytes32[](agreeing);
        for (uint256 i; i < agreeing; ++i) {
            digests[i] = HONEST;
        }

        (bool accepted,,) = Tally.verdict(same(10, 20), size, digests);

        assertEq(accepted, 2 * agreeing > size);
    }

    function test_verdict_ofNothingIsUnresolved() public pure {
        (bool accepted, uint256 winner, IGenerationOracle.Zone[] memory zones) =
            Tally.verdict(same(10, 20), 3, new bytes32[](0));

        assertFalse(accepted);
        assertEq(winner, 0);
        assertEq(zones.length, 0);
    }

    // ---------------------------------------------------------------------------------------------------------- digests

    /// @dev Up to `most` bits turned over in each lane.
    function drift(bytes32 digest, uint256 random, uint256 most) internal pure returns (bytes32) {
        for (uint256 lane; lane < 4; ++lane) {
            for (uint256 i; i < most; ++i) {
                random = uint256(keccak256(abi.encode(random)));
                if (random & 64 != 0) digest ^= bytes32(uint256(1) << (64 * lane + random % 64));
            }
        }
        return digest;
    }

    function flip(bytes32 digest, uint256 lane, uint256 bits) internal pure returns (bytes32) {
        return digest ^ bytes32(bits << (64 * (3 - lane)));
    }

    function shuffle(bytes32[] memory digests, uint256 random)
        internal
        pure
        returns (bytes32[] memory shuffled, uint256[] memory from)
    {
        (shuffled, from) = (new bytes32[](digests.length), new uint256[](digests.length));
        for (uint256 i; i < digests.length; ++i) {
            from[i] = i;
        }
        for (uint256 i; i < digests.length; ++i) {
            uint256 j = i + uint256(keccak256(abi.encode(random, "shuffle", i))) % (digests.length - i);
            (from[i], from[j]) = (from[j], from[i]);
            shuffled[i] = digests[from[i]];
        }
    }

    function same(uint8 accept, uint8 reject) internal pure returns (IModelRegistry.ToleranceProfile memory) {
        return IModelRegistry.ToleranceProfile({
            accept: [accept, accept, accept, accept], reject: [reject, reject, reject, reject], evidence: 0
        });
    }

    /// @dev The tightest that the registry takes.
    function profileOf(uint256 random) internal pure returns (IModelRegistry.ToleranceProfile memory) {
        uint8 accept = uint8(random % 11);
        return same(accept, 2 * accept);
    }
}
