-- What is open is asked for in the order in which it came. SQLite gives every index the rowid as its last column, and reads
-- the whole table instead if the one before it is not the same for all.
DROP INDEX open_draws;
DROP INDEX awaited_rounds;
CREATE INDEX open_draws ON draws (ending) WHERE ending IS NULL;
CREATE INDEX awaited_rounds ON rounds (awaited) WHERE awaited = 1;
