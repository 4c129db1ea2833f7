// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";

contract MembersTest is Test {
    using Members for IGenerationOracle.Member;

    function testFuzz_pack_keepsEveryPart(address operator, uint32 pool, uint32 seat, uint8 place) public pure {
        IGenerationOracle.Member member = pack(operator, pool, seat, place);
        assertEq(member.operator(), operator);
        assertEq(member.seat(), seat);
        assertEq(member.place(), place);
        assertEq(member.isExcused(), operator == address(0));
        assertEq(uint24(uint256(IGenerationOracle.Member.unwrap(member))), 0);
    }

    /// @dev Two seats never share a vote slot, nor do two places of one; an operator shares it with the next.
    function testFuzz_slot_isAllButTheOperator(uint256 a, uint256 b) public pure {
        IGenerationOracle.Member first = pack(address(1), uint32(a), uint32(a >> 32), uint8(a >> 64));
        IGenerationOracle.Member second = pack(address(2), uint32(b), uint32(b >> 32), uint8(b >> 64));
        bool same = uint72(a) == uint72(b);
        assertEq(first.slot() == second.slot(), same);

        second = pack(address(2), uint32(a), uint32(a >> 32), uint8(a >> 64));
        assertEq(first.slot(), second.slot());
    }

    function test_wrap_keepsTheWords() public pure {
        bytes32[] memory words = new bytes32[](2);
        (words[0], words[1]) = ("one", "two");
        IGenerationOracle.Member[] memory members = Members.wrap(words);
        assertEq(members.length, 2);
        assertEq(IGenerationOracle.Member.unwrap(members[1]), "two");
    }

    function pack(address operator, uint32 pool, uint32 seat, uint8 place)
        internal
        pure
        returns (IGenerationOracle.Member)
    {
        return IGenerationOracle.Member.wrap(Members.pack(operator, pool, seat, place));
    }
}
