-- What must survive a crash. Hashes and ids are 32-byte blobs, times are the chain's, in seconds since the epoch.

-- One row: whose journal this is. It is never used for another.
CREATE TABLE owner (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    chain_id  INTEGER NOT NULL,
    genesis   BLOB NOT NULL,
    oracle    BLOB NOT NULL,
    operator  BLOB NOT NULL
) STRICT;

-- One row each: where the chain has been followed to (the follower's trail, JSON), and the URL announced last.
CREATE TABLE trail (one INTEGER PRIMARY KEY CHECK (one = 1), trail TEXT NOT NULL) STRICT;
CREATE TABLE announced (one INTEGER PRIMARY KEY CHECK (one = 1), url TEXT NOT NULL) STRICT;

-- Jobs for our model: the block of the request, what the contract fixed (`Job`, as the ABI encodes it), what to make.
CREATE TABLE jobs (
    job   BLOB PRIMARY KEY,
    block INTEGER NOT NULL,
    fixed BLOB NOT NULL,
    spec  TEXT NOT NULL
) STRICT;

-- Their rounds. `awaited` until they are drawn or gone.
CREATE TABLE rounds (
    job           BLOB NOT NULL REFERENCES jobs,
    number        INTEGER NOT NULL,
    draw_deadline INTEGER NOT NULL,
    awaited       INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (job, number)
) STRICT;

-- Draws with seats of ours, foretold or sent. `deadline`: nobody votes any more. `ending` once there is nothing left to
-- do, and since when.
CREATE TABLE draws (
    job      BLOB NOT NULL REFERENCES jobs,
    number   INTEGER NOT NULL,
    seed     BLOB NOT NULL,
    noise    BLOB NOT NULL,
    deadline INTEGER NOT NULL,
    ending   TEXT,
    ended    INTEGER,
    PRIMARY KEY (job, number, seed)
) STRICT;

-- Our seats in them. The opening of its commitment, all of it, is written before the commitment is sent.
CREATE TABLE seats (
    job          BLOB NOT NULL,
    number       INTEGER NOT NULL,
    seed         BLOB NOT NULL,
    seat         INTEGER NOT NULL,
    member       INTEGER NOT NULL,
    digest       BLOB,
    content_hash BLOB,
    salt         BLOB,
    PRIMARY KEY (job, number, seed, seat),
    FOREIGN KEY (job, number, seed) REFERENCES draws,
    CHECK ((digest IS NULL) = (salt IS NULL) AND (digest IS NULL) = (content_hash IS NULL))
) STRICT;

-- Files that may be shown: their reveals are as deep in the chain as the operator asked for.
CREATE TABLE outputs (content_hash BLOB PRIMARY KEY) STRICT;

-- Seconds for a million pixel-steps, by model and numeric settings.
CREATE TABLE pace (settings TEXT PRIMARY KEY, seconds REAL NOT NULL) STRICT;
