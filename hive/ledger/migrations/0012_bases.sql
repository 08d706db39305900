-- What operators merged as the base of every container, by its digest: `content` is the text of `base.yaml`. None is deleted,
-- so that what was built on one can be built again.
CREATE TABLE bases (
    digest TEXT PRIMARY KEY,
    content TEXT NOT NULL
) STRICT;

-- The base of each forge that counts: `sha` is the commit of `hive/meta` that brought it.
CREATE TABLE accepted_bases (
    forge TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    sha TEXT NOT NULL,
    accepted_at REAL NOT NULL
) STRICT;

-- The base on which a container runs, or was to be built. A deployment with a `cascade` brings no commit, but another base.
ALTER TABLE baselines ADD COLUMN running_base TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN base TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN previous_base TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN cascade INTEGER NOT NULL DEFAULT 0;

-- Rebuilds of all containers of a forge on another base: `pulls` are the merged pull requests that brought it. `comment` is
-- the one that shows it (0: none yet, -1: a person has deleted it), `shown` a digest of what it was to say last.
CREATE TABLE cascades (
    id INTEGER PRIMARY KEY,
    forge TEXT NOT NULL,
    team TEXT NOT NULL,
    base TEXT NOT NULL,
    sha TEXT NOT NULL,
    pulls TEXT NOT NULL,
    is_planned INTEGER NOT NULL DEFAULT 0,
    comment INTEGER NOT NULL DEFAULT 0,
    shown TEXT NOT NULL DEFAULT '',
    shown_at REAL NOT NULL DEFAULT 0,
    shows INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE UNIQUE INDEX one_open_cascade ON cascades (forge) WHERE ended_at IS NULL;

-- The containers of a cascade in their order; how a step that was started went is what its deployment says.
CREATE TABLE cascade_steps (
    cascade INTEGER NOT NULL REFERENCES cascades (id),
    agent TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    deployment INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (cascade, agent)
) STRICT, WITHOUT ROWID;

-- The issue that shows how an agent stands: `shown` is a digest of what it was to say last, `changes` how often that changed.
-- One that a person has deleted `is_gone`, and there is no other.
CREATE TABLE status_issues (
    agent TEXT PRIMARY KEY,
    ref TEXT NOT NULL DEFAULT '',
    is_gone INTEGER NOT NULL DEFAULT 0,
    shown TEXT NOT NULL DEFAULT '',
    changes INTEGER NOT NULL DEFAULT 0
) STRICT;
