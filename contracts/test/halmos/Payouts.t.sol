// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Fees} from "../../src/libraries/Fees.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Rulings} from "../../src/libraries/Rulings.sol";

/// @notice Proved for all inputs by `halmos`, tried on some by `forge test`.
contract PayoutsSymbolicTest is Test {
    using Fees for IGenerationOracle.Job;

    uint96 internal constant SHARES_PER_BOND = 20;

    /// @dev Whatever three members did: what is paid out of the escrow and what goes back are the escrow, so the rest is never
    /// below zero; what is lost is within the bonds; and nobody both earns and loses.
    function check_payouts_areTheEscrow(uint8[3] memory steps, uint8[3] memory digests, uint32 share, uint32 gasPrice)
        public
        pure
    {
        vm.assume(share > 0);
        IGenerationOracle.Job memory job;
        job.terms.committeeSize = 3;
        (job.terms.share, job.bond) = (share, SHARES_PER_BOND * share);
        (job.royalty, job.gasPrice) = (2000, gasPrice);
        (job.accept, job.reject) = (0x02020202, 0x04040404);
        (, uint256 supporters, Rulings.Bill memory bill) =
            Rulings.decide(Rulings.rulesOf(job, 1), ballot(steps, digests));

        uint256 paid = bill.totalEarned + job.drawBounty(3) + job.settleBounty(3);
        if (supporters > 0) paid += job.royaltyOn(bill.totalEarned);
        uint256 escrow = job.escrowOf(1, 3);
        assert(paid <= escrow);
        assert(paid + (escrow - paid) == escrow);

        (uint256 earned, uint256 lost) = (0, 0);
        for (uint256 i; i < 3; ++i) {
            assert(bill.earned[i] == 0 || bill.lost[i] == 0);
            assert(bill.earned[i] <= share && bill.lost[i] <= job.bond);
            (earned, lost) = (earned + bill.earned[i], lost + bill.lost[i]);
        }
        assert(earned == bill.totalEarned && lost == bill.totalLost && bill.slashed <= lost);
    }

    function testFuzz_payouts_areTheEscrow(
        uint8[3] memory steps,
        uint8[3] memory digests,
        uint32 share,
        uint32 gasPrice
    ) public pure {
        check_payouts_areTheEscrow(steps, digests, share, gasPrice);
    }

    function ballot(uint8[3] memory steps, uint8[3] memory digests)
        internal
        pure
        returns (Rulings.Ballot memory votes)
    {
        votes.members = new IGenerationOracle.Member[](3);
        votes.steps = new IGenerationOracle.Step[](3);
        bytes32[] memory revealed = new bytes32[](3);
        uint256 count;
        for (uint256 i; i < 3; ++i) {
            votes.members[i] = IGenerationOracle.Member.wrap(Members.pack(address(1), 1, uint32(i), 0));
            votes.steps[i] = stepOf(steps[i]);
            if (votes.steps[i] != IGenerationOracle.Step.Revealed) continue;
            revealed[count++] = bytes32(uint256(digests[i]));
        }
        votes.digests = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            votes.digests[i] = revealed[i];
        }
    }

    function stepOf(uint8 step) internal pure returns (IGenerationOracle.Step) {
        if (step & 3 == 0) return IGenerationOracle.Step.Drawn;
        if (step & 3 == 1) return IGenerationOracle.Step.Out;
        if (step & 3 == 2) return IGenerationOracle.Step.Committed;
        return IGenerationOracle.Step.Revealed;
    }
}
