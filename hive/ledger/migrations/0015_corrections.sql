-- What people said an issue is, after it was routed: the newest word for each issue. `kind` is a label `type/…`, `lane` the name of
-- a lane; empty for none. Examples to learn from.
CREATE TABLE corrections (
    ref TEXT PRIMARY KEY,
    team TEXT NOT NULL,
    repo TEXT NOT NULL,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    by TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;
CREATE INDEX corrections_of_team ON corrections (team, at);
