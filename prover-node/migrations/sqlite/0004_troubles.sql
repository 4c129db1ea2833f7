-- What went wrong lately, for people: the newest hundred. `job` if it was about one; `time` is the chain's.
CREATE TABLE troubles (
    job     BLOB,
    time    INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;
