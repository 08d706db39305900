-- A model may read pull requests: what it costs is booked without a run. Both tables are made again, as SQLite takes no
-- NOT NULL back; ids of holds go on where they were.
CREATE TABLE new_bookings (
    id INTEGER PRIMARY KEY,
    hold INTEGER UNIQUE,
    at REAL NOT NULL,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    ref TEXT NOT NULL,
    run INTEGER REFERENCES runs,
    turn INTEGER NOT NULL,
    model TEXT NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    is_estimate INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO new_bookings SELECT * FROM bookings;
DROP TABLE bookings;
ALTER TABLE new_bookings RENAME TO bookings;
CREATE INDEX bookings_of_run ON bookings (run, id);
CREATE INDEX bookings_by_age ON bookings (at);
CREATE INDEX bookings_of_reviews ON bookings (ref) WHERE run IS NULL;

CREATE TABLE new_holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    at REAL NOT NULL,
    expires_at REAL NOT NULL,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    ref TEXT NOT NULL,
    run INTEGER REFERENCES runs,
    turn INTEGER NOT NULL,
    model TEXT NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    amount INTEGER NOT NULL
) STRICT;
INSERT INTO new_holds SELECT * FROM holds;
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'new_holds', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'new_holds');
UPDATE sqlite_sequence
    SET seq = max(seq, coalesce((SELECT old.seq FROM sqlite_sequence AS old WHERE old.name = 'holds'), 0))
    WHERE name = 'new_holds';
DROP TABLE holds;
ALTER TABLE new_holds RENAME TO holds;

-- What a model answered about a pull request, by a digest of model and question: an answer that was paid for is not asked for
-- again when its job is.
CREATE TABLE model_answers (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    ref TEXT NOT NULL,
    model TEXT NOT NULL,
    answer TEXT NOT NULL,
    answered_at REAL NOT NULL
) STRICT;
CREATE INDEX model_answers_by_age ON model_answers (answered_at);

-- What a model has read of a pull request up to a round, as JSON; empty if it has read nothing.
ALTER TABLE review_rounds ADD COLUMN read TEXT NOT NULL DEFAULT '';
