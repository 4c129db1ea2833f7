// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @notice Draws numbers without replacement, in time that does not depend on how many there are.
///
/// A Fisher-Yates shuffle that deals from the front: each draw swaps a random card to the front of the undealt part. All
/// cards lie in order at first, so only the swapped ones are written down.
library Draws {
    struct Deck {
        bytes32 seed;
        /// Cards in all, numbered from 0.
        uint256 cards;
        uint256 dealt;
        /// What each draw moved: the place it took the card from (upper half) and the card that now lies there.
        uint256[] moves;
    }

    /// @param most draws that will be made
    function deck(bytes32 seed, uint256 cards, uint256 most) internal pure returns (Deck memory) {
        uint256 draws = cards < most ? cards : most;
        return Deck({seed: seed, cards: cards, dealt: 0, moves: new uint256[](draws)});
    }

    /// @dev Whether `deal` may be called again.
    function left(Deck memory self) internal pure returns (bool) {
        return self.dealt < self.moves.length;
    }

    /// @notice The next card. Each undealt one is equally likely, up to a bias of 2^-224 for 32-bit decks.
    function deal(Deck memory self) internal pure returns (uint256 card) {
        (uint256 dealt, uint256[] memory moves) = (self.dealt, self.moves);
        uint256 random = uint256(Hashes.efficientKeccak256(self.seed, bytes32(dealt)));
        // Fewer than 2^128 cards, as a move has room for, and one of them is left.
        unchecked {
            uint256 place = dealt + random % (self.cards - dealt);
            card = cardAt(moves, dealt, place);
            moves[dealt] = (place << 128) | cardAt(moves, dealt, dealt);
            self.dealt = dealt + 1;
        }
    }

    /// @dev The latest move to a place counts. Places in front of the undealt part are never asked for again.
    function cardAt(uint256[] memory moves, uint256 dealt, uint256 place) private pure returns (uint256) {
        for (uint256 i = dealt; i > 0;) {
            uint256 move = moves[--i];
            if (move >> 128 == place) return uint128(move);
        }
        return place;
    }
}
