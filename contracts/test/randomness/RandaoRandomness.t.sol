// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Test} from "forge-std/Test.sol";
import {IRandomness} from "../../src/interfaces/IRandomness.sol";
import {RandaoRandomness} from "../../src/randomness/RandaoRandomness.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";

contract RandaoRandomnessTest is Test {
    uint64 internal constant BLOCK = 1000;
    bytes32 internal constant MIX = keccak256("mix");

    RandaoRandomness internal randao;

    function setUp() public {
        randao = new RandaoRandomness(4, 12);
        vm.roll(BLOCK + 1);
    }

    // ------------------------------------------------------------------------------------------------------ the schedule

    function testFuzz_constructor_takesADelayThatTheProposerDoesNotKnow(uint32 delay, uint32 secondsPerBlock) public {
        (delay, secondsPerBlock) = (uint32(bound(delay, 0, 300)), uint32(bound(secondsPerBlock, 0, 20)));
        bool sound = delay >= 2 && delay <= 254 && secondsPerBlock > 0;
        if (!sound) {
            vm.expectRevert(abi.encodeWithSelector(RandaoRandomness.BadDelay.selector, delay, secondsPerBlock));
        }
        new RandaoRandomness(delay, secondsPerBlock);
    }

    function test_constructor_refusesTheNextBlock() public {
        vm.expectRevert(abi.encodeWithSelector(RandaoRandomness.BadDelay.selector, 1, 12));
        new RandaoRandomness(1, 12);
        assertEq(new RandaoRandomness(2, 12).delay(), 2);
    }

    function test_constructor_refusesADelayOutOfReach() public {
        vm.expectRevert(abi.encodeWithSelector(RandaoRandomness.BadDelay.selector, 255, 12));
        new RandaoRandomness(255, 12);
        assertEq(new RandaoRandomness(254, 12).delay(), 254);
    }

    function test_constructor_refusesBlocksWithoutTime() public {
        vm.expectRevert(abi.encodeWithSelector(RandaoRandomness.BadDelay.selector, 4, 0));
        new RandaoRandomness(4, 0);
    }

    function testFuzz_next_isTheDelayAhead(uint64 number, uint32 delay) public {
        delay = uint32(bound(delay, 2, 254));
        number = uint64(bound(number, 0, type(uint64).max - delay));
        randao = new RandaoRandomness(delay, 12);
        vm.roll(number);

        assertEq(randao.next(), number + delay);
        assertFalse(randao.isKnown(randao.next()));
    }

    function testFuzz_isKnown_whenTheBlockIsMined(uint64 id, uint64 late) public {
        vm.roll(id);
        assertFalse(randao.isKnown(id));
        vm.roll(uint256(id) + 1 + late);
        assertTrue(randao.isKnown(id));
    }

    function test_lifetime_isHowFarBlockhashReaches() public {
        assertEq(randao.lifetime(), 255 * 12);
        assertEq(new RandaoRandomness(4, 2).lifetime(), 255 * 2);
    }

    /// @dev At the lifetime's end, in blocks as fast as they may be, `blockhash` still reaches.
    function test_lifetime_endsBeforeTheProofDoes() public {
        bytes memory header = HeaderFixtures.encode(BLOCK, MIX);
        vm.roll(BLOCK - 4);
        assertEq(randao.next(), BLOCK);

        vm.roll(BLOCK - 4 + randao.lifetime() / 12);
        vm.setBlockhash(BLOCK, keccak256(header));
        assertEq(randao.randomness(BLOCK, header), MIX);
    }

    // -------------------------------------------------------------------------------------------------------- the values

    function test_randomness_isInAHeaderThatAnvilMade() public {
        vm.setBlockhash(BLOCK, HeaderFixtures.ANVIL_HASH);
        assertEq(randao.randomness(BLOCK, HeaderFixtures.ANVIL), HeaderFixtures.ANVIL_RANDAO);
    }

    /// @dev Forks append fields; nothing before them moves.
    function testFuzz_randomness_toleratesLaterFields(uint256 count, bytes32 mix) public {
        count = bound(count, 15, 60);
        bytes memory header = mined(RLP.encode(HeaderFixtures.fields(BLOCK, mix, count)));
        assertEq(randao.randomness(BLOCK, header), mix);
    }

    // ------------------------------------------------------------------------------------------------------ the forgeries

    function test_randomness_refusesAnotherBlocksHeader() public {
        mined(HeaderFixtures.encode(BLOCK, MIX));
        bytes memory older = HeaderFixtures.encode(BLOCK - 1, MIX);
        vm.setBlockhash(BLOCK - 1, keccak256(older));

        expectRefusal(BLOCK, older);
        assertEq(randao.randomness(BLOCK - 1, older), MIX);
    }

    function test_randomness_refusesAForgedMix() public {
        mined(HeaderFixtures.encode(BLOCK, MIX));
        expectRefusal(BLOCK, HeaderFixtures.encode(BLOCK, keccak256("another mix")));
    }

    function testFuzz_randomness_refusesATruncatedHeader(uint256 length) public {
        bytes memory header = mined(HeaderFixtures.encode(BLOCK, MIX));
        bytes memory truncated = new bytes(bound(length, 0, header.length - 1));
        for (uint256 i; i < truncated.length; ++i) {
            truncated[i] = header[i];
        }
        expectRefusal(BLOCK, truncated);
    }

    function testFuzz_randomness_refusesAFlippedBit(uint256 bit) public {
        bytes memory header = mined(HeaderFixtures.encode(BLOCK, MIX));
        bit = bound(bit, 0, header.length * 8 - 1);
        header[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        expectRefusal(BLOCK, header);
    }

    function test_randomness_refusesMoreThanTheHeader() public {
        bytes memory header = mined(HeaderFixtures.encode(BLOCK, MIX));
        expectRefusal(BLOCK, bytes.concat(header, bytes1(0)));
    }

    /// @dev The hash of a block that is not mined is zero, as that of the block that is being mined.
    function test_randomness_refusesFutureBlocks() public {
        bytes memory header = HeaderFixtures.encode(BLOCK, MIX);
        vm.roll(BLOCK);
        expectRefusal(BLOCK, header);
        vm.roll(BLOCK - 1);
        expectRefusal(BLOCK, header);
        expectRefusal(type(uint64).max, header);
        expectRefusal(BLOCK, "");
    }

    function test_randomness_refusesBlocksOutOfReach() public {
        bytes memory header = HeaderFixtures.encode(BLOCK, MIX);
        vm.roll(BLOCK + 256);
        vm.setBlockhash(BLOCK, keccak256(header));
        assertEq(randao.randomness(BLOCK, header), MIX);

        vm.roll(BLOCK + 257);
        expectRefusal(BLOCK, header);
    }

    // ------------------------------------------------------------------------------------------------------- the helpers

    function mined(bytes memory header) private returns (bytes memory) {
        vm.setBlockhash(BLOCK, keccak256(header));
        return header;
    }

    function expectRefusal(uint64 id, bytes memory proof) private {
        vm.expectRevert(abi.encodeWithSelector(IRandomness.WrongProof.selector, id));
        randao.randomness(id, proof);
    }
}
