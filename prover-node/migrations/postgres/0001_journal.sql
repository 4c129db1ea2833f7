-- What migrations/sqlite makes, for Postgres; what the columns mean is said there. One schema holds one operator's journal.
-- SQLite gives every row a rowid, which says what came first; here it is a column of that name.

CREATE TABLE owner (
    one       BIGINT PRIMARY KEY CHECK (one = 1),
    chain_id  BIGINT NOT NULL,
    genesis   BYTEA NOT NULL,
    oracle    BYTEA NOT NULL,
    operator  BYTEA NOT NULL
);

-- Which process may write: each that opens the journal raises it, and none writes that finds another number than its own.
CREATE TABLE term (one BIGINT PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL);

CREATE TABLE trail (one BIGINT PRIMARY KEY CHECK (one = 1), trail TEXT NOT NULL);
CREATE TABLE announced (one BIGINT PRIMARY KEY CHECK (one = 1), url TEXT NOT NULL);

CREATE TABLE jobs (
    job   BYTEA PRIMARY KEY,
    block BIGINT NOT NULL,
    fixed BYTEA NOT NULL,
    spec  TEXT NOT NULL
);

CREATE TABLE rounds (
    job           BYTEA NOT NULL REFERENCES jobs,
    number        BIGINT NOT NULL,
    draw_deadline BIGINT NOT NULL,
    awaited       BIGINT NOT NULL DEFAULT 1,
    rowid         BIGINT GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (job, number)
);

CREATE TABLE draws (
    job      BYTEA NOT NULL REFERENCES jobs,
    number   BIGINT NOT NULL,
    seed     BYTEA NOT NULL,
    noise    BYTEA NOT NULL,
    deadline BIGINT NOT NULL,
    ending   TEXT,
    ended    BIGINT,
    rowid    BIGINT GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (job, number, seed)
);

CREATE TABLE seats (
    job          BYTEA NOT NULL,
    number       BIGINT NOT NULL,
    seed         BYTEA NOT NULL,
    seat         BIGINT NOT NULL,
    member       BIGINT NOT NULL,
    digest       BYTEA,
    content_hash BYTEA,
    salt         BYTEA,
    PRIMARY KEY (job, number, seed, seat),
    FOREIGN KEY (job, number, seed) REFERENCES draws,
    CHECK ((digest IS NULL) = (salt IS NULL) AND (digest IS NULL) = (content_hash IS NULL))
);

CREATE TABLE outputs (content_hash BYTEA PRIMARY KEY);

CREATE TABLE intents (
    intent   BIGINT PRIMARY KEY,
    step     TEXT NOT NULL,
    job      BYTEA,
    number   BIGINT,
    seat     BIGINT,
    target   BYTEA NOT NULL,
    data     BYTEA NOT NULL,
    value    BYTEA NOT NULL,
    deadline BIGINT NOT NULL,
    CHECK ((job IS NULL) = (number IS NULL))
);

CREATE TABLE broadcasts (
    hash   BYTEA PRIMARY KEY,
    nonce  BIGINT NOT NULL,
    intent BIGINT REFERENCES intents,
    gas    BIGINT NOT NULL,
    most   BIGINT NOT NULL,
    tip    BIGINT NOT NULL,
    rowid  BIGINT GENERATED ALWAYS AS IDENTITY
);

CREATE TABLE paces (
    settings TEXT NOT NULL,
    size     BIGINT NOT NULL,
    seconds  DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (settings, size)
);

CREATE TABLE troubles (
    job     BYTEA,
    time    BIGINT NOT NULL,
    message TEXT NOT NULL,
    rowid   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);

CREATE INDEX open_draws ON draws (job) WHERE ending IS NULL;
CREATE INDEX awaited_rounds ON rounds (job) WHERE awaited = 1;
