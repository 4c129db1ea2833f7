// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title GenerationOracle: paid, verified generations
/// @notice The whole protocol on one page.
///
///     request -> [seed block] -> draw -> commit* -> reveal* -> settle -> withdraw
///
/// A requester pays for an image. Once the seed block is mined, anyone draws a committee of staked seats from it. Each
/// seat's operator generates the image, commits to its digest, and reveals it. `settle` finds the digest that most
/// reveals agree with, pays its supporters and slashes those it rejects. Every phase is read off the clock, and every
/// phase ends by a deadline after which a transaction that anyone may send moves the job on.
///
/// A digest is 32 bytes in four 64-bit lanes. For an image, most significant lane first: aHash, dHash, pHash and the
/// colour hash (42 bits, right-aligned). Lanes are compared by Hamming distance.
///
/// Money: nobody on a committee ever receives any part of a slash or penalty, and a share that is not earned goes back
/// to the requester. Slashes and penalties are burned.
interface IGenerationOracle {
    // ------------------------------------------------------------------------------------------------ what is paid for

    /// @notice How the noise becomes a picture, step by step.
    enum Solver {
        /// DDIM (arXiv 2010.02502) with eta 0.
        Ddim
    }

    /// @notice What to generate. Integers only, so that every machine reads the same job. It is total: the integers are
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

    /// @notice How it is to be decided, and what it pays. Fixed for the job when it is paid.
    struct Terms {
        /// Seats in the committee: odd, 3 to 31. The quorum is its majority, whoever turns up.
        uint8 committeeSize;
        /// Noise from the spec's seed alone. The requester then knows the noise beforehand and could have searched for
        /// a job on which honest machines differ, so that dissent costs the share and never the bond.
        bool fixedSeed;
        /// What one seat earns, in wei: more than 0, and at most 1/160 of the model's seat stake, so that the bond is
        /// at least 20 shares.
        uint96 share;
    }

    // ----------------------------------------------------------------------------------------------------- what happens

    /// @notice Where a job stands.
    enum Phase {
        /// There is no such job.
        None,
        /// Paid; the seed block is not mined yet.
        Requested,
        /// The seed block is mined: anyone may draw.
        Draw,
        /// Nobody drew within the draw window: anyone may send the fee back with `expire`.
        Expired,
        /// Drawn seats commit or decline.
        Commit,
        /// All have committed or declined, or the commit window has closed: commitments are opened.
        Reveal,
        /// All commitments are opened, or the reveal window has closed: anyone may settle.
        Settle,
        /// Over.
        Closed
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
        /// Its stake was fully bound when it was drawn: it takes no part and owes nothing.
        Excused,
        /// It said that it cannot run the job: a quarter share is burned.
        Declined,
        /// It has committed. At the end of the reveal window this costs the bond, unless nobody revealed.
        Committed,
        /// It has opened its commitment.
        Revealed
    }

    /// @notice How the winning digest sees a revealed one.
    enum Zone {
        /// Every lane is within its accept distance: paid.
        Accepted,
        /// Between the two: neither paid nor slashed.
        Grey,
        /// Some lane is beyond its reject distance: the bond is slashed.
        Rejected
    }

    /// @notice One drawn seat's part in a job.
    struct Vote {
        /// The key that commits and reveals, as it stood at the draw.
        address operator;
        /// The seat's number in its model's pool.
        uint32 seat;
        Step step;
        /// The commitment until it is opened, the digest afterwards.
        bytes32 value;
    }

    /// @notice A job as it is stored, with its phase read off the clock.
    struct JobView {
        address requester;
        bytes32 modelId;
        Terms terms;
        bytes32 specHash;
        /// `spec.seed`, kept for `noiseSeed`.
        bytes32 specSeed;
        /// The block of the request.
        uint64 requestBlock;
        /// The time of the request; the pool as it stood then is drawn from.
        uint64 requestTime;
        /// The pool's slots at the request.
        uint32 poolSlots;
        /// The block whose RANDAO is the seed.
        uint64 seedBlock;
        /// The last block in which the job can be drawn.
        uint64 drawDeadline;
        /// Zero until the draw.
        bytes32 drawSeed;
        /// In seconds since the epoch; zero until the draw. Commitments count in blocks before it.
        uint64 commitDeadline;
        /// In seconds since the epoch; zero until the draw. Openings count in blocks before it.
        uint64 revealDeadline;
        /// What each drawn seat has at risk, in wei.
        uint96 bond;
        Phase phase;
        Outcome outcome;
        /// The winning digest; zero unless accepted.
        bytes32 digest;
    }

    /// @notice Times, fixed for a deployment.
    struct Windows {
        /// The seed is the RANDAO of the block this many after the request: at least 2, because the proposer of block N
        /// knows the mix of N+1 (EIP-4399).
        uint32 seedDelay;
        /// In blocks after the request: more than `seedDelay`, and at most 255, as far back as `blockhash` reaches.
        uint32 drawWindow;
        /// In seconds.
        uint32 commitWindow;
        /// In seconds.
        uint32 revealWindow;
    }

    event Requested(
        bytes32 indexed jobId, address indexed requester, bytes32 indexed modelId, ImageSpec spec, Terms terms
    );
    event Drawn(bytes32 indexed jobId, bytes32 drawSeed, uint32[] seats, uint64 commitDeadline, uint64 revealDeadline);
    event Committed(bytes32 indexed jobId, uint32 indexed seat, bytes32 commitment);
    event Declined(bytes32 indexed jobId, uint32 indexed seat);
    /// @param contentHash sha256 of the file that the operator serves: its own word, attested by nobody else
    event Revealed(bytes32 indexed jobId, uint32 indexed seat, bytes32 digest, bytes32 contentHash);
    /// @notice The job is over; sent once for every job.
    /// @param digest the winner's; zero unless accepted
    /// @param supporters the seats whose digests the winner accepts; empty unless accepted
    event Settled(bytes32 indexed jobId, Outcome outcome, bytes32 digest, uint32[] supporters);
    event Paid(bytes32 indexed jobId, uint32 indexed seat, address indexed owner, uint256 amount);
    event Refunded(bytes32 indexed jobId, address indexed requester, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    error WrongPhase(bytes32 jobId, Phase expected, Phase actual);
    error WrongCommitteeSize(uint8 committeeSize);
    error PoolTooSmall(bytes32 modelId, uint256 seats, uint8 committeeSize);
    error ShareOutOfRange(uint96 share, uint96 most);
    error WrongPayment(uint256 sent, uint256 expected);
    error WrongHeader(uint256 seedBlock);
    error NotOperator(bytes32 jobId, uint256 member, address caller);
    error AlreadyVoted(bytes32 jobId, uint32 seat);
    error NotCommitted(bytes32 jobId, uint32 seat);
    error EmptyCommitment();
    /// @dev A reorganisation changed the draw: generate again from the noise of the present one.
    error OtherDraw(bytes32 answered, bytes32 actual);
    error WrongOpening(bytes32 jobId, uint32 seat);
    error NothingToWithdraw(address account);
    error BadWindows(Windows windows);

    // ------------------------------------------------------------------------------------------------------- the phases

    /// @notice Pays for an image. The fee, `committeeSize x share`, is escrowed; it must be sent exactly.
    /// @dev A request cannot be cancelled, changed or topped up: whoever could walk away from a seed would roll it again.
    /// Seats younger than the pool's seat age count for the size of the pool but are not drawn: a job paid before the pool
    /// is old enough ends unresolved.
    /// @return jobId `keccak256(abi.encode(chainid, contract, requester, the requester's nonce, modelId, specHash, terms))`
    function requestImage(bytes32 modelId, ImageSpec calldata spec, Terms calldata terms)
        external
        payable
        returns (bytes32 jobId);

    /// @notice Draws the committee. The result depends only on the seed and on the pool as it stood at the request:
    /// whoever sends this, whenever, draws the same seats.
    /// @param header the RLP-encoded header of the seed block; its hash is checked against the chain's and its RANDAO
    /// read (EIP-4399)
    function draw(bytes32 jobId, bytes calldata header) external;

    /// @notice Commits a seat to its digest: `commitmentOf` of it with a secret salt of 256 random bits.
    /// @param member the seat's place in the committee
    /// @param drawSeed the draw that the generation answered; reverts if a reorganisation has changed it
    function commit(bytes32 jobId, uint256 member, bytes32 drawSeed, bytes32 commitment) external;

    /// @notice Says openly that a drawn seat cannot run the job.
    function decline(bytes32 jobId, uint256 member) external;

    /// @notice Opens a commitment. Sent by the operator.
    function reveal(bytes32 jobId, uint256 member, bytes32 digest, bytes32 contentHash, bytes32 salt) external;

    /// @notice Finds the verdict, pays the seats' owners, slashes, and gives the requester what nobody earned. A committee
    /// that came out empty can be settled at once.
    function settle(bytes32 jobId) external;

    /// @notice Gives the fee of a job that nobody drew in time back to its requester.
    function expire(bytes32 jobId) external;

    /// @notice Pays out what is credited to the caller.
    function withdraw(address payable to) external returns (uint256 amount);

    // -------------------------------------------------------------------------------------------------------- the views

    function job(bytes32 jobId) external view returns (JobView memory);

    /// @notice The drawn seats, in the order of the draw.
    function votes(bytes32 jobId) external view returns (Vote[] memory);

    /// @notice Wei that `account` can withdraw.
    function creditOf(address account) external view returns (uint256);

    /// @notice How many requests `requester` has made.
    function nonceOf(address requester) external view returns (uint256);

    function windows() external view returns (Windows memory);

    /// @notice What generation starts from: `keccak256(abi.encode(spec seed, draw seed))`, which nobody knows at the
    /// request, or the spec's seed if the terms fix it. Zero until the draw.
    function noiseSeed(bytes32 jobId) external view returns (bytes32);

    /// @notice Binds chain, contract, job, round, seat and opening: leave any one out and a commitment can be copied or
    /// replayed. `round` is 1.
    function commitmentOf(bytes32 jobId, uint256 round, uint32 seat, bytes32 digest, bytes32 contentHash, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice How each revealed digest is seen by `winner`, lane by lane.
    function compare(bytes32 modelId, bytes32 winner, bytes32 digest)
        external
        view
        returns (uint8[4] memory distances, Zone zone);

    // ------------------------------------------------------------------------------------------------------ deployment

    /// @notice The seats and stakes that committees are drawn from.
    function stakes() external view returns (address);

    /// @notice The models that can be asked for.
    function models() external view returns (address);
}
