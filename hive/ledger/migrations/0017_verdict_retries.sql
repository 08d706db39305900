-- Pull requests that could not be reviewed for a reason that may pass: how often each was looked at again since then for the same
-- head and base, and when it is looked at next.
CREATE TABLE verdict_retries (
    ref TEXT NOT NULL,
    context TEXT NOT NULL,
    team TEXT NOT NULL,
    head TEXT NOT NULL,
    base TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at REAL NOT NULL,
    PRIMARY KEY (ref, context)
) STRICT;
CREATE INDEX verdict_retries_by_time ON verdict_retries (next_at);
