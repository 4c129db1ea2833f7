-- Seconds for a million units of work, by model and numeric settings, and by the size of what was made.
DROP TABLE pace;
CREATE TABLE paces (
    settings TEXT NOT NULL,
    size     INTEGER NOT NULL,
    seconds  REAL NOT NULL,
    PRIMARY KEY (settings, size)
) STRICT;

-- What is looked for at every block, however much there is of what is over.
CREATE INDEX open_draws ON draws (job) WHERE ending IS NULL;
CREATE INDEX awaited_rounds ON rounds (job) WHERE awaited = 1;
