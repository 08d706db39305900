-- What the review of a pull request remembers: each round is one head for one base. `findings` is JSON, all that are known then,
-- those that have ended too; the newest round counts.
CREATE TABLE review_rounds (
    id INTEGER PRIMARY KEY,
    ref TEXT NOT NULL,
    round INTEGER NOT NULL,
    head TEXT NOT NULL,
    base TEXT NOT NULL,
    base_sha TEXT NOT NULL,
    verdict TEXT NOT NULL,
    findings TEXT NOT NULL,
    reviewed_at REAL NOT NULL,
    UNIQUE (ref, round)
) STRICT;

-- Findings that an operator dismissed, by their numbers in the pull request. One counts as long as its code is the same:
-- `context` is a digest of that code. `rule` and `path` are what it was about, for those who count.
CREATE TABLE dismissals (
    id INTEGER PRIMARY KEY,
    ref TEXT NOT NULL,
    number INTEGER NOT NULL,
    context TEXT NOT NULL,
    rule TEXT NOT NULL,
    path TEXT NOT NULL,
    by_login TEXT NOT NULL,
    why TEXT NOT NULL,
    dismissed_at REAL NOT NULL,
    UNIQUE (ref, number, context)
) STRICT;
