-- Questions that runs asked on their threads, kept for ever. `addressee` is the id of an account that may answer beside the
-- operators (0: none), `comment` the one that asks, `answer` what came of it: words, `[expired]` or `[cancelled]`.
CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    turn INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE,
    ref TEXT NOT NULL,
    question TEXT NOT NULL,
    options TEXT NOT NULL,
    addressee INTEGER NOT NULL DEFAULT 0,
    comment INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'answered', 'expired', 'cancelled')),
    answer TEXT NOT NULL DEFAULT '',
    answered_by TEXT NOT NULL DEFAULT '',
    asked_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    settled_at REAL
) STRICT;
CREATE UNIQUE INDEX one_open_question ON questions (run) WHERE state = 'open';
CREATE INDEX questions_due ON questions (expires_at) WHERE state = 'open';
