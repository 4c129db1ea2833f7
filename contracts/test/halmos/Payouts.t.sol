// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Digests} from "../../src/libraries/Digests.sol";
import {Fees} from "../../src/libraries/Fees.sol";
import {Rulings} from "../../src/libraries/Rulings.sol";

/// @notice Proved for all inputs by `halmos`, tried on some by `forge test`.
contract PayoutsSymbolicTest is Test {
    using Fees for IGenerationOracle.Job;

    uint256 internal constant COMMITTEE = 3;
    uint96 internal constant SHARES_PER_BOND = 20;

    /// @dev What three members did.
    struct Votes {
        bool[3] excused;
        uint8[3] steps;
        uint8[3] digests;
    }

    /// @dev Whatever three members did: nobody both earns and loses, earns more than a share or loses more than the bond, and
    /// the totals are the sums.
    ///
    /// Digests of three bits, of which one may differ and two are grey, reach every standing that three members can have
    /// together.
    function check_payouts_addUp(Votes memory votes, uint96 share, uint96 bond, bool fixedSeed) public pure {
        vm.assume(uint256(bond) >= SHARES_PER_BOND * uint256(share));
        Rulings.Rules memory rules = Rulings.Rules({
            accept: Digests.lanes(0x00000001),
            reject: Digests.lanes(0x00000002),
            quorum: 2,
            share: share,
            bond: bond,
            fixedSeed: fixedSeed
        });
        (,, Rulings.Bill memory bill) = Rulings.decide(rules, ballotOf(votes));

        (uint256 earned, uint256 lost, uint256 right) = (0, 0, 1);
        for (uint256 i; i < COMMITTEE; ++i) {
            right &= flag(bill.earned[i] == 0) | flag(bill.lost[i] == 0);
            right &= flag(bill.earned[i] <= share) & flag(bill.lost[i] <= bond);
            unchecked {
                (earned, lost) = (earned + bill.earned[i], lost + bill.lost[i]);
            }
        }
        right &= flag(earned == bill.totalEarned) & flag(lost == bill.totalLost) & flag(bill.slashed <= lost);
        right &= flag(earned <= COMMITTEE * uint256(share));
        assert(right == 1);
    }

    function testFuzz_payouts_addUp(Votes memory votes, uint96 share, uint96 bond, bool fixedSeed) public pure {
        share = uint96(bound(share, 0, bond / SHARES_PER_BOND));
        check_payouts_addUp(votes, share, bond, fixedSeed);
    }

    /// @dev What is paid out of the escrow is within it, so that what goes back is never below zero. Two divisions are too much
    /// for a solver.
    function testFuzz_payouts_areWithinTheEscrow(uint96 share, uint16 royalty, uint64 gasPrice, uint256 earned)
        public
        pure
    {
        earned = bound(earned, 0, COMMITTEE * uint256(share));
        IGenerationOracle.Job memory job;
        (job.terms.share, job.royalty, job.gasPrice) = (share, royalty, gasPrice);
        uint256 paid = earned + job.royaltyOn(earned) + job.drawBounty(COMMITTEE) + job.settleBounty(COMMITTEE);
        assert(paid <= job.escrowOf(1, COMMITTEE));
    }

    function ballotOf(Votes memory votes) internal pure returns (Rulings.Ballot memory ballot) {
        ballot.size = COMMITTEE;
        bytes32[] memory digests = new bytes32[](COMMITTEE);
        uint256 revealed;
        for (uint256 i; i < COMMITTEE; ++i) {
            uint32 step = votes.steps[i] & 3;
            ballot.state.voted |= (step >> 1) << uint32(i);
            ballot.state.done |= (step & 1) << uint32(i);
            ballot.excused |= flag(votes.excused[i]) << i;
            if (step == uint8(IGenerationOracle.Step.Revealed)) {
                digests[revealed++] = bytes32(uint256(votes.digests[i] & 7));
            }
        }
        Rulings.cut(digests, revealed);
        ballot.digests = digests;
    }

    function flag(bool yes) internal pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := yes
        }
    }
}
