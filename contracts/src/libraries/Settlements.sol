// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {Fees} from "./Fees.sol";
import {Members} from "./Members.sol";
import {Rounds} from "./Rounds.sol";
import {Rulings} from "./Rulings.sol";
import {Pool, Seats} from "./Seats.sol";

/// @dev Spent by requests and appeals, filled by what goes back and by bounties.
struct Account {
    uint128 balance;
    uint128 nonce;
}

struct Appeal {
    address appellant;
    /// What it paid and did not get back, in wei.
    uint96 paid;
}

/// @dev All that the oracle keeps, but for the seats.
struct Books {
    mapping(bytes32 jobId => mapping(uint8 number => IGenerationOracle.RoundState)) rounds;
    mapping(bytes32 jobId => mapping(uint8 number => Appeal)) appeals;
    /// A commitment until it is opened, the digest afterwards. The slot belongs to a seat, whose later jobs use it
    /// again.
    mapping(uint256 slot => bytes32) votes;
    mapping(address account => Account) accounts;
}

/// @notice How a round is paid and slashed.
library Settlements {
    using Fees for IGenerationOracle.Job;
    using Members for IGenerationOracle.Member;
    using Rounds for IGenerationOracle.RoundState;
    using Seats for Pool;

    /// @notice A round that is to be settled.
    struct Case {
        bytes32 jobId;
        IGenerationOracle.Job job;
        uint8 number;
        Rulings.Ballot ballot;
    }

    /// @dev Burned money is sent where nobody has the key, rather than kept here, so that what the oracle holds is
    /// exactly what it owes. There is no code there that could refuse it.
    address payable private constant BURNED = payable(0x000000000000000000000000000000000000dEaD);
    uint8 private constant FIRST = 1;

    /// @notice Settles the last round of a job.
    /// @return verdict the job's
    function settle(Books storage books, Pool storage pool, Case memory it, IGenerationOracle.Member[] calldata members)
        internal
        returns (IGenerationOracle.Verdict memory verdict)
    {
        (bytes32 digest, uint256 supporters, Rulings.Bill memory bill) =
            Rulings.decide(Rulings.rulesOf(it.job, it.number), it.ballot);
        bool accepted = supporters > 0;
        verdict = IGenerationOracle.Verdict({
            outcome: accepted ? IGenerationOracle.Outcome.Accepted : IGenerationOracle.Outcome.Unresolved,
            digest: digest,
            round: it.number,
            supporters: uint8(supporters),
            safeValue: Rulings.safeValue(it.job)
        });

        pay(books, pool, it, members, bill, accepted);
        burn(bill.totalLost);
    }

    /// @notice Settles an earlier round in the light of the job's verdict.
    function settleEarlier(
        Books storage books,
        Pool storage pool,
        Case memory it,
        IGenerationOracle.Member[] calldata members,
        IGenerationOracle.Verdict calldata verdict
    ) internal {
        bool accepted = verdict.outcome == IGenerationOracle.Outcome.Accepted;
        (bool changed, Rulings.Bill memory bill) =
            Rulings.review(Rulings.rulesOf(it.job, it.number), it.ballot, accepted, verdict.digest);

        pay(books, pool, it, members, bill, accepted);
        burn(changed ? bill.totalLost - reward(books, it.jobId, it.number + 1, bill.slashed) : bill.totalLost);
    }

    /// @notice The votes of a round, none if it was never drawn.
    function ballotOf(
        Books storage books,
        IGenerationOracle.RoundState memory state,
        IGenerationOracle.Member[] calldata members
    ) internal view returns (Rulings.Ballot memory ballot) {
        ballot.state = state;
        if (state.stage != IGenerationOracle.Stage.Drawn) return ballot;

        bytes32[] memory digests = new bytes32[](members.length);
        (uint256 revealed, uint256 excused, uint256 found) = (state.revealed(), 0, 0);
        for (uint256 i; i < members.length; ++i) {
            IGenerationOracle.Member member = members[i];
            if (member.isExcused()) excused |= 1 << i;
            if ((revealed >> i) & 1 == 1) digests[found++] = books.votes[member.slot()];
        }
        Rulings.cut(digests, found);
        (ballot.size, ballot.excused, ballot.digests) = (members.length, excused, digests);
    }

    /// @dev Pays a round out of its own escrow.
    function pay(
        Books storage books,
        Pool storage pool,
        Case memory it,
        IGenerationOracle.Member[] calldata members,
        Rulings.Bill memory bill,
        bool accepted
    ) private {
        (IGenerationOracle.Job memory job, uint8 number) = (it.job, it.number);
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        uint256 settleBounty = job.settleBounty(size);
        uint256 unpaid = paySeats(pool, it, members, bill, settleBounty);
        emit IGenerationOracle.RoundSettled(it.jobId, number, bill.earned, bill.lost);

        bool drawn = it.ballot.state.stage == IGenerationOracle.Stage.Drawn;
        uint256 royalty = accepted && number == FIRST ? job.royaltyOn(bill.totalEarned) : 0;
        uint256 drawBounty = drawn ? job.drawBounty(size) : 0; // paid at the draw
        uint256 rest = job.escrowOf(number, size) - bill.totalEarned - royalty - drawBounty - settleBounty;
        credit(books, job.modelOwner, royalty);
        credit(books, msg.sender, unpaid);
        if (number == FIRST) return credit(books, job.requester, rest);

        Appeal storage challenge = books.appeals[it.jobId][number];
        challenge.paid -= uint96(rest);
        credit(books, challenge.appellant, rest);
    }

    /// @dev Releases the seats of a round with what they earned and lost. A keeper is paid where its seat is, whose
    /// slot is written anyway; a seat that earned nothing may be a stranger's who named the keeper's key as its
    /// operator.
    /// @return unpaid the bounty, unless a seat got it
    function paySeats(
        Pool storage pool,
        Case memory it,
        IGenerationOracle.Member[] calldata members,
        Rulings.Bill memory bill,
        uint256 bounty
    ) private returns (uint256 unpaid) {
        unpaid = bounty;
        (bytes32 modelId, uint96 bond, uint256 silent) = (it.job.modelId, it.job.bond, it.ballot.state.silent());
        for (uint256 i; i < it.ballot.size; ++i) {
            IGenerationOracle.Member member = members[i];
            uint96 earned = bill.earned[i];
            if (earned > 0 && member.operator() == msg.sender) (earned, unpaid) = (earned + uint96(unpaid), 0);
            pool.release(modelId, member, bond, earned, bill.lost[i], (silent >> i) & 1 == 1);
        }
    }

    /// @dev Half again of what the appellant paid, from at most 30 % of the slashes of the round that it challenged.
    function reward(Books storage books, bytes32 jobId, uint8 number, uint256 slashed)
        private
        returns (uint256 amount)
    {
        Appeal memory challenge = books.appeals[jobId][number];
        amount = Math.min(uint256(challenge.paid) * 3 / 2, slashed * 3 / 10);

        credit(books, challenge.appellant, amount);
        emit IGenerationOracle.AppealRewarded(jobId, number, challenge.appellant, amount);
    }

    function burn(uint256 amount) private {
        if (amount > 0) Address.sendValue(BURNED, amount);
    }

    function credit(Books storage books, address account, uint256 amount) internal {
        if (amount > 0) books.accounts[account].balance += uint128(amount);
    }
}
