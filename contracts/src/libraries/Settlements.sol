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
    /// A commitment until it is opened, the digest afterwards. The slot belongs to a seat, whose later jobs use it again.
    mapping(uint256 slot => bytes32) votes;
    mapping(address account => Account) accounts;
}

/// @notice How a round is paid and slashed. Linked, so that the oracle keeps below the size of a contract (EIP-170).
library Settlements {
    using Fees for IGenerationOracle.Job;
    using Members for IGenerationOracle.Member;
    using Rounds for IGenerationOracle.RoundState;
    using Seats for Pool;

    /// @dev Burned money is sent where nobody has the key, rather than kept here, so that what the oracle holds is exactly
    /// what it owes. There is no code there that could refuse it.
    address payable private constant BURNED = payable(0x000000000000000000000000000000000000dEaD);
    uint8 private constant FIRST = 1;

    /// @notice Settles the last round of a job.
    /// @return verdict the job's
    function settle(
        Books storage books,
        Pool storage pool,
        bytes32 jobId,
        IGenerationOracle.Job memory job,
        IGenerationOracle.Round calldata round,
        IGenerationOracle.RoundState memory state,
        uint8 number
    ) external returns (IGenerationOracle.Verdict memory verdict) {
        Rulings.Ballot memory ballot = ballotOf(books, state, round);
        (bytes32 digest, uint256 supporters, Rulings.Bill memory bill) =
            Rulings.decide(Rulings.rulesOf(job, number), ballot);
        verdict = IGenerationOracle.Verdict({
            outcome: supporters > 0 ? IGenerationOracle.Outcome.Accepted : IGenerationOracle.Outcome.Unresolved,
            digest: digest,
            round: number,
            supporters: uint8(supporters),
            safeValue: Rulings.safeValue(job)
        });

        pay(
            books,
            pool,
            jobId,
            job,
            ballot.members,
            bill,
            verdict.outcome,
            number,
            state.stage == IGenerationOracle.Stage.Drawn
        );
        burn(bill.totalLost);
    }

    /// @notice Settles an earlier round in the light of the job's verdict.
    function settleEarlier(
        Books storage books,
        Pool storage pool,
        bytes32 jobId,
        IGenerationOracle.Job memory job,
        IGenerationOracle.Round calldata round,
        IGenerationOracle.RoundState memory state,
        IGenerationOracle.Verdict calldata verdict
    ) external {
        uint8 number = round.number;
        Rulings.Ballot memory ballot = ballotOf(books, state, round);
        bool accepted = verdict.outcome == IGenerationOracle.Outcome.Accepted;
        (bool changed, Rulings.Bill memory bill) =
            Rulings.review(Rulings.rulesOf(job, number), ballot, accepted, verdict.digest);

        pay(
            books,
            pool,
            jobId,
            job,
            ballot.members,
            bill,
            verdict.outcome,
            number,
            state.stage == IGenerationOracle.Stage.Drawn
        );
        burn(changed ? bill.totalLost - reward(books, jobId, number + 1, bill.slashed) : bill.totalLost);
    }

    /// @dev The votes of a round, none if it was never drawn.
    function ballotOf(
        Books storage books,
        IGenerationOracle.RoundState memory state,
        IGenerationOracle.Round calldata round
    ) private view returns (Rulings.Ballot memory ballot) {
        if (state.stage != IGenerationOracle.Stage.Drawn) return ballot;

        ballot.members = round.members;
        uint256 members = ballot.members.length;
        ballot.steps = new IGenerationOracle.Step[](members);
        ballot.digests = new bytes32[](members);
        uint256 revealed;
        for (uint256 i; i < members; ++i) {
            IGenerationOracle.Step step = state.stepOf(i);
            ballot.steps[i] = step;
            if (step != IGenerationOracle.Step.Revealed) continue;
            ballot.digests[revealed++] = books.votes[ballot.members[i].slot()];
        }
        Rulings.cut(ballot.digests, revealed);
    }

    /// @dev Pays a round out of its own escrow.
    function pay(
        Books storage books,
        Pool storage pool,
        bytes32 jobId,
        IGenerationOracle.Job memory job,
        IGenerationOracle.Member[] memory members,
        Rulings.Bill memory bill,
        IGenerationOracle.Outcome outcome,
        uint8 number,
        bool drawn
    ) private {
        uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);
        uint256 settleBounty = job.settleBounty(size);
        uint256 unpaid = settleBounty;
        for (uint256 i; i < members.length; ++i) {
            pool.release(job.modelId, members[i], job.bond, bill.earned[i], bill.lost[i], bill.evicted[i]);
            // A keeper is paid where its seat is, whose slot is written anyway; a seat that earned nothing may be a stranger's
            // who named the keeper's key as its operator.
            if (unpaid == 0 || bill.earned[i] == 0 || members[i].operator() != msg.sender) continue;
            pool.credit(members[i], unpaid);
            unpaid = 0;
        }
        emit IGenerationOracle.RoundSettled(jobId, number, bill.earned, bill.lost);

        bool royal = number == FIRST && outcome == IGenerationOracle.Outcome.Accepted;
        uint256 royalty = royal ? job.royaltyOn(bill.totalEarned) : 0;
        uint256 drawBounty = drawn ? job.drawBounty(size) : 0; // paid at the draw
        uint256 rest = job.escrowOf(number, size) - bill.totalEarned - royalty - drawBounty - settleBounty;
        credit(books, job.modelOwner, royalty);
        credit(books, msg.sender, unpaid);
        if (number == FIRST) return credit(books, job.requester, rest);

        Appeal storage challenge = books.appeals[jobId][number];
        challenge.paid -= uint96(rest);
        credit(books, challenge.appellant, rest);
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
