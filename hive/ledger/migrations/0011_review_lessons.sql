-- What became of each finding, for those who count: `state` is that of the newest round or dismissal. `by_login` and `why` are of who
-- dismissed it.
CREATE TABLE review_facts (
    ref TEXT NOT NULL,
    number INTEGER NOT NULL,
    rule TEXT NOT NULL,
    engine TEXT NOT NULL,
    path TEXT NOT NULL,
    level TEXT NOT NULL,
    category TEXT NOT NULL,
    state TEXT NOT NULL,
    by_login TEXT NOT NULL DEFAULT '',
    why TEXT NOT NULL DEFAULT '',
    at REAL NOT NULL,
    PRIMARY KEY (ref, number)
) STRICT;
CREATE INDEX review_facts_by_time ON review_facts (at);

-- Pull requests that were closed or merged after a review: what was remembered of them is kept for a while only.
CREATE TABLE closed_reviews (
    ref TEXT PRIMARY KEY,
    closed_at REAL NOT NULL
) STRICT;

-- Suppressions that the hive has proposed, by rule and pattern of paths. `pull` is empty until it is opened, `closed_at` is when
-- it was seen that people had closed it.
CREATE TABLE suppression_proposals (
    id INTEGER PRIMARY KEY,
    repo TEXT NOT NULL,
    rule TEXT NOT NULL,
    path TEXT NOT NULL,
    pull TEXT NOT NULL DEFAULT '',
    times INTEGER NOT NULL DEFAULT 1,
    proposed_at REAL NOT NULL,
    closed_at REAL,
    UNIQUE (repo, rule, path)
) STRICT;
