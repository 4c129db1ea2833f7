// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title GenerationOracle: paid, verified generations
/// @notice The whole protocol on one page.
///
///     request -> [seed] -> draw -> commit* -> reveal* -> (appeal -> next round)* -> settle -> deliver, withdraw
///
/// A requester pays for an image or a text. Once a random seed that nobody knew at the request is public, anyone draws a
/// committee of staked seats from it. Each seat's operator generates it, commits to its digest, and reveals it. The
/// verdict is the digest that most reveals agree with. Whoever doubts it pays a larger committee to look again. When
/// nobody does, `settle` pays the supporters and slashes those whom the verdict rejects.
///
/// Every phase is read off the clock, and every phase ends by a deadline after which a transaction that anyone may send
/// moves the job on.
///
/// A digest is 32 bytes in four 64-bit lanes. For an image, most significant lane first: aHash, dHash, pHash and the
/// colour hash (42 bits, right-aligned). For a text: keccak256 of the ids of its tokens, the end token included, as
/// big-endian 32-bit numbers, without the top bit of its last lane, which is zero in every digest. Lanes are compared
/// by Hamming distance.
///
/// Storage holds one word for each round of a job. What is fixed at the request (`Job`) and at the draw (`Round`) is
/// announced in events and handed back with each call, which checks it against the hash it kept.
///
/// Money: nobody on a committee ever receives any part of a slash or penalty, and a share that is not earned goes back
/// to who paid for the round. Slashes and penalties are burned, but for the reward of an appellant who was right.
interface IGenerationOracle {
    // ------------------------------------------------------------------------------------------------ what is paid for

    /// @notice How the noise becomes a picture, step by step.
    enum Solver {
        /// DDIM (arXiv 2010.02502) with eta 0.
        Ddim,
        /// UniPC (arXiv 2302.04867) of order 2, which needs fewer steps.
        UniPc
    }

    /// @notice Which image to generate. Integers only, so that every machine reads the same job. It is total: the integers are
    /// checked against the model's bounds at the request, and any bytes are a prompt (decoded as lossy UTF-8 and cut as
    /// the model's tokenizer does).
    struct ImageSpec {
        /// At most 4,096 bytes.
        bytes prompt;
        /// What the picture should not show; at most 4,096 bytes; may be empty.
        bytes negativePrompt;
        /// In pixels.
        uint32 width;
        /// In pixels.
        uint32 height;
        /// Denoising steps.
        uint32 steps;
        Solver solver;
        /// Classifier-free guidance scale in thousandths: 7,500 is 7.5.
        uint32 guidance;
        /// Mixed with the draw's seed into the noise, or the noise seed itself when `Terms.fixedSeed` is set.
        bytes32 seed;
    }

    /// @notice Who speaks.
    enum Role {
        System,
        User,
        Assistant
    }

    struct Message {
        Role role;
        bytes content;
    }

    /// @notice Which text to generate. Decoding is greedy or a beam search, so that nothing is random and texts agree token
    /// for token. As total as an image's spec: any bytes are a message, and a prompt that is too long for the model keeps
    /// its last tokens.
    struct TextSpec {
        /// The conversation whose next answer is asked for; 1 to 64. The model's chat template makes one prompt of them.
        Message[] messages;
        /// What is generated at most, the end token included.
        uint32 maxTokens;
        /// 1 is greedy decoding.
        uint8 beams;
        /// The text is over when one of these appears in it, and is cut before. An empty one never appears. Together with the
        /// messages they have at most 4,096 bytes.
        bytes[] stops;
    }

    /// @notice How it is to be decided, and what it pays. Fixed for the job when it is paid.
    struct Terms {
        /// Seats in the first committee: odd, 3 to 31.
        uint8 committeeSize;
        /// Whether a verdict needs more than two thirds of the committee instead of more than half; from 5 seats.
        bool superMajority;
        /// Noise from the spec's seed alone. The requester then knows the noise beforehand and could have searched for
        /// a job on which honest machines differ, so that dissent costs the share and never the bond.
        bool fixedSeed;
        /// What one seat earns, in wei: at least `IModelRegistry.Offer.leastShare`, and at most 1/160 of the model's
        /// seat stake, so that the bond is at least 20 shares.
        uint96 share;
        /// Seconds from the draw: four times the model's time for the work at least, and `Windows.commit`, and at most
        /// `Windows.mostCommit`.
        uint32 commitWindow;
        /// Called once with the verdict, by `deliver`; zero for nobody.
        address consumer;
        /// The gas it is called with: at most 500,000.
        uint32 consumerGas;
    }

    /// @notice Everything that is fixed at the request. The job id is its hash with chain and contract, so that no
    /// later change by anyone, and no reorganisation, turns one job into another.
    struct Job {
        address requester;
        /// How many requests and appeals the requester had made before.
        uint128 nonce;
        bytes32 modelId;
        /// `keccak256(abi.encode(kind, spec))`.
        bytes32 specHash;
        bytes32 specSeed;
        Terms terms;
        /// What each drawn seat has at risk, in wei: an eighth of the model's seat stake.
        uint96 bond;
        /// The model's accept and reject distances, a byte for each lane.
        bytes4 accept;
        bytes4 reject;
        /// Who gets the royalty, in ten-thousandths of what supporters earn.
        address modelOwner;
        uint16 royalty;
        /// In seconds since the epoch; the pool as it stood then is drawn from in every round.
        uint40 requestedAt;
        /// The pool's slots at the request.
        uint32 poolSlots;
        /// Seats that were in the pool and surely old enough to be drawn.
        uint32 poolSeats;
        /// Seconds that a verdict can be appealed.
        uint32 appealWindow;
        /// What keepers are paid for a unit of gas, in wei: twice the base fee.
        uint64 gasPrice;
    }

    /// @notice A drawn seat: its operator (160 bits, most significant), its pool's number and its own number in the
    /// pool (32 bits each), and which of its eight vote slots the job uses (8 bits), above 24 bits of zero. The
    /// operator is the one at the draw; it is zero for a seat that is excused because its stake was fully bound.
    type Member is bytes32;

    /// @notice Everything that is fixed at a draw.
    struct Round {
        /// From 1.
        uint8 number;
        /// `keccak256(abi.encode(randomness, job id, number))`.
        bytes32 drawSeed;
        /// In the order of the draw.
        Member[] members;
    }

    /// @notice What opens a commitment.
    struct Opening {
        bytes32 digest;
        /// sha256 of the file that the operator serves: its own word, attested by nobody else.
        bytes32 contentHash;
        /// 256 secret bits.
        bytes32 salt;
    }

    // ----------------------------------------------------------------------------------------------------- what happens

    /// @notice Where the latest round of a job stands.
    enum Phase {
        /// There is no such job.
        None,
        /// Paid; the seed is not known yet.
        Requested,
        /// The seed is known: anyone may draw.
        Draw,
        /// Nobody drew the first round within the draw window: anyone may send the fee back with `expire`.
        Expired,
        /// Drawn seats commit or decline.
        Commit,
        /// All have committed or declined, or the commit window has closed: commitments are opened.
        Reveal,
        /// The verdict can be read, and anyone may pay for another round.
        Appeal,
        /// The verdict is the last one: anyone may settle.
        Settle,
        /// The latest round is settled.
        Settled
    }

    /// @notice How a job ended.
    enum Outcome {
        /// Not yet decided.
        Open,
        /// A quorum agrees on a digest.
        Accepted,
        /// No digest has a quorum behind it. Nobody is slashed for disagreeing.
        Unresolved,
        /// Never drawn; the fee went back.
        Expired
    }

    /// @notice What a drawn seat has done.
    enum Step {
        /// Nothing yet. At the end of the commit window this is silence: half a share is burned and the seat leaves the
        /// pool.
        Drawn,
        /// It takes no part: excused, or it said that it cannot run the job, which costs a quarter share.
        Out,
        /// It has committed. At the end of the reveal window this costs the bond, unless nobody revealed.
        Committed,
        /// It has opened its commitment.
        Revealed
    }

    /// @notice How a winning digest sees another one.
    enum Zone {
        /// Every lane is within its accept distance: paid.
        Accepted,
        /// Between the two: neither paid nor slashed.
        Grey,
        /// Some lane is beyond its reject distance: the bond is slashed.
        Rejected
    }

    /// @notice The last word on a job.
    struct Verdict {
        Outcome outcome;
        /// The winner's; zero unless accepted.
        bytes32 digest;
        /// The round that found it.
        uint8 round;
        /// Seats of that round that the winner accepts.
        uint8 supporters;
        /// What a fraud is sure to lose once it is overturned, in wei; see `IGenerationLens.safeValueOf`.
        uint256 safeValue;
    }

    /// @notice How far a round has come.
    enum Stage {
        None,
        /// Paid for, and not drawn.
        Opened,
        Drawn,
        Settled,
        /// Settled, and its consumer called. First rounds only.
        Delivered
    }

    /// @notice All that storage knows of a round: one word.
    struct RoundState {
        /// Of the randomness while the round waits for its draw, its number; then the hash of the `Round`; once
        /// settled, the hash of the job's `Verdict`. Cut to 136 bits: to pass off another round or verdict somebody
        /// would have to try 2^136 of them, or, by choosing an operator of a round, 2^68 between the seed and the draw.
        bytes17 hash;
        /// Seconds since the epoch: the draw deadline; the commit deadline from the draw on; the time of the last
        /// opening once all are opened.
        uint40 clock;
        /// A bit for each member. Neither: it may still commit. `voted`: it has committed. Both: it has revealed.
        /// `done` alone: it takes no part, as all bits above the committee say.
        uint32 voted;
        uint32 done;
        Stage stage;
        /// Of first rounds: the number of the job's latest round.
        uint8 latest;
    }

    /// @notice Times in seconds, fixed for a deployment.
    struct Windows {
        /// From the request, or the appeal.
        uint32 draw;
        /// The least commit window.
        uint32 commit;
        uint32 mostCommit;
        uint32 reveal;
        /// The least appeal window.
        uint32 appeal;
    }

    event ImageRequested(
        bytes32 indexed jobId, address indexed requester, bytes32 indexed modelId, Job job, ImageSpec spec
    );
    event TextRequested(
        bytes32 indexed jobId, address indexed requester, bytes32 indexed modelId, Job job, TextSpec spec
    );
    /// @notice A round waits for its draw: the first at the request, later ones by appeal.
    /// @param payer who pays for it and gets back what nobody earns
    event Opened(bytes32 indexed jobId, uint8 number, address indexed payer, uint64 randomnessId, uint40 drawDeadline);
    event Drawn(bytes32 indexed jobId, Round round, uint40 commitDeadline);
    event Committed(bytes32 indexed jobId, uint8 number, uint256 member, bytes32 commitment);
    event Declined(bytes32 indexed jobId, uint8 number, uint256 member);
    event Revealed(bytes32 indexed jobId, uint8 number, uint256 member, bytes32 digest, bytes32 contentHash);
    /// @notice The last round is settled and the verdict final; sent once for every job.
    event Settled(bytes32 indexed jobId, Verdict verdict);
    /// @notice What became of the seats of a round, by member, in the order of `Round.members`.
    /// @param earned paid to each seat for its vote, in wei
    /// @param lost burned from each seat's stake, in wei
    event RoundSettled(bytes32 indexed jobId, uint8 number, uint96[] earned, uint96[] lost);
    /// @notice An appellant was right and got `amount` out of the slashes of the round it challenged.
    event AppealRewarded(bytes32 indexed jobId, uint8 number, address indexed appellant, uint256 amount);
    event Delivered(bytes32 indexed jobId, address indexed consumer, bool success);
    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @dev The job is not in the phase that this needs; `IGenerationLens.roundOf` tells where it is.
    error WrongPhase(Phase expected);
    error WrongCommitteeSize(uint8 committeeSize);
    error SuperMajorityTooSmall(uint8 committeeSize);
    error PoolTooSmall(bytes32 modelId, uint256 seats, uint8 committeeSize);
    error ShareOutOfRange(uint96 share, uint96 least, uint96 most);
    error CommitWindowOutOfRange(uint32 commitWindow, uint32 least, uint32 most);
    error WrongConsumer(address consumer, uint32 gas);
    error BalanceTooSmall(address account, uint256 balance, uint256 needed);
    error FeeAboveLimit(uint256 fee, uint256 limit);
    error DelegationOver(uint256 deadline);
    error NonceUsed(address requester, uint256 nonce);
    error WrongSignature(address requester);
    /// @dev The round handed in is not the one that was drawn. A reorganisation changes draws.
    error WrongRound(bytes32 jobId, uint8 number);
    /// @dev A reorganisation changed the draw: generate again from the noise of the present one.
    error OtherDraw(bytes32 answered, bytes32 actual);
    error NotOperator(uint256 member, address caller);
    error AlreadyVoted(uint256 member);
    error NotCommitted(uint256 member);
    error WrongOpening(uint256 member);
    error WrongVerdict(bytes32 jobId);
    error NotDeliverable(bytes32 jobId);
    error GasTooLow(uint256 left, uint256 needed);
    error NothingToWithdraw(address account);
    error BadWindows(Windows windows);

    // ------------------------------------------------------------------------------------------------------- the request

    /// @notice Pays for an image out of the caller's balance, to which what is sent is added first; see
    /// `IGenerationLens.quoteImage` for the fee.
    /// @dev A request cannot be cancelled, changed or topped up: whoever could walk away from a seed would roll it
    /// again. Refused unless the pool has as many seats that are surely old enough (`PoolView.old`).
    /// @return jobId `keccak256(abi.encode(chainid, contract, job))`
    function requestImage(bytes32 modelId, ImageSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32 jobId);

    /// @notice The same for a text.
    function requestText(bytes32 modelId, TextSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32 jobId);

    /// @notice A request that its requester signed (EIP-712) and anyone may send.
    struct DelegatedImage {
        /// Pays, out of its balance here. A contract signs by ERC-1271.
        address requester;
        bytes32 modelId;
        ImageSpec spec;
        Terms terms;
        /// In wei; the fee follows the base fee.
        uint256 mostFee;
        /// Any number that the requester has not signed with before: delegations need no order.
        uint256 nonce;
        /// In seconds since the epoch.
        uint256 deadline;
    }

    /// @notice The same for a text.
    struct DelegatedText {
        address requester;
        bytes32 modelId;
        TextSpec spec;
        Terms terms;
        uint256 mostFee;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice Pays for an image out of the signer's balance.
    function requestImageFor(DelegatedImage calldata delegated, bytes calldata signature)
        external
        returns (bytes32 jobId);

    /// @notice Pays for a text out of the signer's balance.
    function requestTextFor(DelegatedText calldata delegated, bytes calldata signature) external returns (bytes32 jobId);

    // ------------------------------------------------------------------------------------------------------- the phases

    /// @notice Draws the committee of the latest round, for a bounty in the caller's balance. The result depends only
    /// on the seed and on the pool as it stood at the request: whoever sends this, whenever, draws the same seats.
    /// @param proof of the randomness that the round waits for
    function draw(Job calldata job, bytes calldata proof) external;

    /// @notice Commits a seat to its digest: `commitmentOf` of it with a secret salt of 256 random bits.
    /// @param round the draw that the generation answered; reverts if a reorganisation has changed it
    /// @param member the seat's place in `round.members`
    function commit(bytes32 jobId, Round calldata round, uint256 member, bytes32 commitment) external;

    /// @notice Draws, if nobody has yet, and commits. The draw's bounty is then the seat's, with its earnings.
    /// @param round as `IGenerationLens.drawOf` foretells it
    function drawAndCommit(
        Job calldata job,
        bytes calldata proof,
        Round calldata round,
        uint256 member,
        bytes32 commitment
    ) external;

    /// @notice Says openly that a drawn seat cannot run the job.
    function decline(bytes32 jobId, Round calldata round, uint256 member) external;

    /// @notice Opens a commitment. Whoever knows the salt may send it.
    /// @param member the seat's place in `Round.members`
    /// @param slot its vote slot: the `Member` without its operator
    function reveal(bytes32 jobId, uint8 number, uint256 member, uint256 slot, Opening calldata opening) external;

    /// @notice Opens the next round, with `2n + 1` seats (31 at most) after one of n, and pays for it: see
    /// `IGenerationLens.appealFee`. There are four rounds at most, and none for which the pool at the request was too
    /// small. What is sent is added to the caller's balance, out of which it is paid. If the last verdict differs from
    /// the challenged one, the appellant gets its payment back, and half of it again, out of at most 30 % of the
    /// slashes of the challenged round.
    function appeal(Job calldata job) external payable;

    /// @notice Ends a job with the verdict of its latest round, and pays and slashes that round's seats. The bounty is
    /// the caller's: in its balance, or with the earnings of its seat if it is the operator of one that earned in the
    /// round.
    /// @param round the latest one; with no members if it was never drawn
    function settle(Job calldata job, Round calldata round) external;

    /// @notice Pays and slashes the seats of an earlier round: from the last but one down to the first. A vote is
    /// judged by its own round's winner if that verdict is the same as the last one, and by the last one's otherwise.
    /// Two verdicts are the same if they are of one kind and their winners accept each other.
    /// @param verdict the job's
    function settleEarlier(Job calldata job, Round calldata round, Verdict calldata verdict) external;

    /// @notice Gives the fee of a job whose first round nobody drew in time back to its requester.
    function expire(Job calldata job) external;

    /// @notice Calls the consumer, once, with the gas it asked for; whether it reverts changes nothing. Pays the
    /// caller.
    function deliver(Job calldata job, Verdict calldata verdict) external;

    /// @notice Adds to the caller's balance, which pays for requests and appeals.
    function deposit() external payable;

    /// @notice Pays out the caller's balance.
    function withdraw(address payable to) external returns (uint256 amount);

    // -------------------------------------------------------------------------------------------------------- the views

    function idOf(Job calldata job) external view returns (bytes32 jobId);

    function stateOf(bytes32 jobId, uint8 number) external view returns (RoundState memory);

    /// @notice A vote slot (`Member` without its operator): the seal of a commitment (`Votes`) until it is opened, the
    /// digest afterwards, until a later job of the seat uses it again.
    function voteOf(uint256 slot) external view returns (bytes32);

    /// @notice Who opened a later round, and what it paid and did not get back, in wei.
    function appealOf(bytes32 jobId, uint8 number) external view returns (address appellant, uint96 paid);

    /// @notice Whether `verdict` is the final one of the job.
    function isFinal(bytes32 jobId, Verdict calldata verdict) external view returns (bool);

    /// @notice Binds chain, contract, job, round, seat and opening: leave any one out and a commitment can be copied or
    /// replayed.
    function commitmentOf(bytes32 jobId, uint8 number, uint32 seat, Opening calldata opening)
        external
        view
        returns (bytes32);

    /// @notice Wei that `account` can spend here or withdraw.
    function balanceOf(address account) external view returns (uint256);

    /// @notice How many requests and appeals `account` has made.
    function nonceOf(address account) external view returns (uint256);

    function windows() external view returns (Windows memory);

    /// @notice The models that can be asked for.
    function models() external view returns (address);

    /// @notice Where the draws get their seeds from.
    function randomness() external view returns (address);
}
