-- What the wallet has sent and is not deep in the chain yet. Both are written before anything is broadcast.

-- What is to be done: step, job, round and seat say what for; then the call. It is not worth sending from `deadline` on.
CREATE TABLE intents (
    intent   INTEGER PRIMARY KEY,
    step     TEXT NOT NULL,
    job      BLOB,
    number   INTEGER,
    seat     INTEGER,
    target   BLOB NOT NULL,
    data     BLOB NOT NULL,
    value    BLOB NOT NULL,
    deadline INTEGER NOT NULL,
    CHECK ((job IS NULL) = (number IS NULL))
) STRICT;

-- Each transaction, replaced ones too: any with its nonce may be the one that is mined. `intent` is null where one only
-- fills a gap. `most` and `tip` are wei for a unit of gas (EIP-1559).
CREATE TABLE broadcasts (
    hash   BLOB PRIMARY KEY,
    nonce  INTEGER NOT NULL,
    intent INTEGER REFERENCES intents,
    gas    INTEGER NOT NULL,
    most   INTEGER NOT NULL,
    tip    INTEGER NOT NULL
) STRICT;
