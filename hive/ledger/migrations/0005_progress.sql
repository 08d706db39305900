-- What people are shown of a run while it goes on: what its transcript told (`steps` of all turns, `edits`, `commands`),
-- the agent's own checklist as JSON, what came of the repository's checks, and the one comment that shows it.
-- `effect` is the newest one that writes it, `shown` a digest of what it says, `shown_at` since when; `is_over` that it says
-- how the run ended, `is_deleted` that a person has deleted it, and it is not posted again.
CREATE TABLE progress (
    run INTEGER PRIMARY KEY REFERENCES runs,
    steps INTEGER NOT NULL DEFAULT 0,
    edits INTEGER NOT NULL DEFAULT 0,
    commands INTEGER NOT NULL DEFAULT 0,
    items TEXT NOT NULL DEFAULT '[]',
    checks TEXT NOT NULL DEFAULT '',
    is_draft INTEGER NOT NULL DEFAULT 0,
    effect INTEGER NOT NULL DEFAULT 0,
    comment INTEGER NOT NULL DEFAULT 0,
    is_deleted INTEGER NOT NULL DEFAULT 0,
    shown TEXT NOT NULL DEFAULT '',
    shown_at REAL NOT NULL DEFAULT 0,
    is_over INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX progress_to_show ON progress (run) WHERE comment != 0 AND NOT is_over AND NOT is_deleted;
