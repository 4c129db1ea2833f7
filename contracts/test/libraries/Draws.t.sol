// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Draws} from "../../src/libraries/Draws.sol";

contract DrawsTest is Test {
    using Draws for Draws.Deck;

    /// @dev The shuffle written out, with every card in its place.
    function testFuzz_deal_isAFisherYatesShuffle(bytes32 seed, uint8 cards) public pure {
        uint256[] memory places = new uint256[](cards);
        for (uint256 i; i < cards; ++i) {
            places[i] = i;
        }
        Draws.Deck memory deck = Draws.deck(seed, cards, type(uint256).max);

        for (uint256 i; i < cards; ++i) {
            uint256 j = i + uint256(keccak256(abi.encode(seed, i))) % (cards - i);
            (places[i], places[j]) = (places[j], places[i]);
            assertTrue(deck.left());
            assertEq(deck.deal(), places[i]);
        }
        assertFalse(deck.left());
    }

    function testFuzz_deal_stopsAtTheBound(bytes32 seed, uint32 cards, uint8 most) public pure {
        Draws.Deck memory deck = Draws.deck(seed, cards, most);
        uint256 dealt;
        while (deck.left()) {
            assertLt(deck.deal(), cards);
            ++dealt;
        }
        assertEq(dealt, cards < most ? cards : most);
    }
}
