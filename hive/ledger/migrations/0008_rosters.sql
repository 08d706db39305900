-- The roster of each forge that operators merged last: `sha` is its commit, `content` the text of `roster.yaml`.
CREATE TABLE rosters (
    forge TEXT PRIMARY KEY,
    sha TEXT NOT NULL,
    content TEXT NOT NULL,
    accepted_at REAL NOT NULL
) STRICT;

-- Agents that were asked for on an issue, until they have a configuration: `ref` is that issue, `why` its author's words.
CREATE TABLE spawns (
    agent TEXT PRIMARY KEY,
    team TEXT NOT NULL,
    lane TEXT NOT NULL,
    why TEXT NOT NULL,
    ref TEXT NOT NULL
) STRICT;

-- Agents that a roster removed: their notes, accounts and credentials are kept until they are purged, which two comments of
-- operators ask for.
CREATE TABLE tombstones (
    agent TEXT PRIMARY KEY,
    team TEXT NOT NULL,
    destroyed_at REAL NOT NULL,
    purge_asked_at REAL,
    purge_confirmed_at REAL
) STRICT;
