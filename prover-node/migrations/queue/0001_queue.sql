-- Inference that nodes ask for and workers do. Times are the database's, so that no two machines need to agree on one.

-- Whoever was last seen so long ago is dead, or cut off.
CREATE FUNCTION is_silent(seen TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE SQL STABLE
    AS $$ SELECT seen < now() - interval '5 seconds' $$;

-- What is to be made. `id` is the hash of who asks and for what: asked again, it is the same order. The earliest deadline,
-- by the chain's clock, goes first.
CREATE TABLE orders (
    id       BYTEA PRIMARY KEY,
    job      TEXT NOT NULL,
    model    BYTEA NOT NULL,
    spec     TEXT NOT NULL,
    noise    BYTEA NOT NULL,
    deadline BIGINT NOT NULL,
    -- When its node was last seen to wait for it.
    wanted   TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- When its worker was last seen to make it, and how many have begun it.
    leased   TIMESTAMPTZ,
    tries    INTEGER NOT NULL DEFAULT 0,
    -- What came of it: a file in a format after so many seconds, or why there is none.
    format   TEXT,
    output   BYTEA,
    seconds  DOUBLE PRECISION,
    failure  TEXT
);
CREATE INDEX open_orders ON orders (model, deadline) WHERE output IS NULL AND failure IS NULL;

-- Who is there: workers, by number, and nodes that share them, by name.
CREATE TABLE workers (
    worker BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model  BYTEA NOT NULL,
    name   TEXT NOT NULL,
    seen   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE nodes (
    node  TEXT NOT NULL,
    model BYTEA NOT NULL,
    seen  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (node, model)
);
