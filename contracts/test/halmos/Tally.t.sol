// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Digests} from "../../src/libraries/Digests.sol";
import {Tally} from "../../src/libraries/Tally.sol";

/// @notice Proved for all inputs by `halmos`, tried on some by `forge test`.
contract TallySymbolicTest is Test {
    uint256 internal constant QUORUM = 2;

    /// @dev Three digests of eight bits: enough for every way in which three of them can accept each other. Two bits are
    /// accepted. Neighbours change places, which makes every order.
    function check_tally_ofThreeDoesNotDependOnTheOrder(uint8 a, uint8 b, uint8 c) public pure {
        (uint256 support, bytes32 winner) = tally(a, b, c);
        same(support, winner, a, c, b);
        same(support, winner, b, a, c);
    }

    function testFuzz_tally_ofThreeDoesNotDependOnTheOrder(uint8 a, uint8 b, uint8 c) public pure {
        check_tally_ofThreeDoesNotDependOnTheOrder(a, b, c);
    }

    /// @dev The winner is one of them, accepts as many as are said, and none accepts more; without a quorum there is none.
    function check_tally_ofThreeIsAsDefined(uint8 a, uint8 b, uint8 c) public pure {
        (uint256 support, bytes32 winner) = tally(a, b, c);

        uint256 most = accepted(a, a, b, c);
        if (accepted(b, a, b, c) > most) most = accepted(b, a, b, c);
        if (accepted(c, a, b, c) > most) most = accepted(c, a, b, c);
        if (most < QUORUM) {
            assert(support == 0 && winner == 0);
            return;
        }
        uint8 won = uint8(uint256(winner));
        assert(won == a || won == b || won == c);
        assert(support == most && accepted(won, a, b, c) == most);
    }

    function testFuzz_tally_ofThreeIsAsDefined(uint8 a, uint8 b, uint8 c) public pure {
        check_tally_ofThreeIsAsDefined(a, b, c);
    }

    function same(uint256 support, bytes32 winner, uint8 a, uint8 b, uint8 c) internal pure {
        (uint256 support_, bytes32 winner_) = tally(a, b, c);
        assert(support_ == support && winner_ == winner);
    }

    function tally(uint8 a, uint8 b, uint8 c) internal pure returns (uint256 support, bytes32 winner) {
        bytes32[] memory digests = new bytes32[](3);
        (digests[0], digests[1], digests[2]) = (bytes32(uint256(a)), bytes32(uint256(b)), bytes32(uint256(c)));
        uint256 index;
        (support, index) = Tally.winnerOf(Digests.lanes(0x02020202), QUORUM, digests);
        if (support > 0) winner = digests[index];
    }

    function accepted(uint8 by, uint8 a, uint8 b, uint8 c) internal pure returns (uint256) {
        return accepts(by, a) + accepts(by, b) + accepts(by, c);
    }

    function accepts(uint8 by, uint8 other) internal pure returns (uint256) {
        uint256 ones;
        for (uint256 i; i < 8; ++i) {
            ones += ((by ^ other) >> i) & 1;
        }
        return ones <= 2 ? 1 : 0;
    }
}
