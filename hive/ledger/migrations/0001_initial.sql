-- The ledger's tables. Times are unix seconds; `team` and `agent` are names of hive.yaml; a `ref` is
-- `forge:owner/name#number`; a `key` is what makes a row the same one when it is stored again.
-- A later change is a new file beside this one, with the next number: no file is changed once it was released.
-- `hive/ledger/schema.py` runs the files in one transaction.

-- Webhook deliveries as they came, body compressed. The row stays when the body is dropped: a repeated one is known.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    forge TEXT NOT NULL,
    uuid TEXT NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'read', 'failed')),
    received_at REAL NOT NULL,
    UNIQUE (forge, uuid)
) STRICT;
CREATE INDEX deliveries_pending ON deliveries (id) WHERE state = 'pending';

-- A bot handles an event, once. `attempts` is the fencing token of the lease; `deaths` counts workers in a row that
-- died while they held it. `cause` is the effect that made the event; a job merged into an older pending one names it.
-- `depth` is how many machines in a row have answered one another. Lower `priority` runs first.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    bot TEXT NOT NULL,
    ref TEXT NOT NULL,
    event_type TEXT NOT NULL,
    event_key TEXT NOT NULL,
    event TEXT NOT NULL,
    delivery INTEGER REFERENCES deliveries,
    cause INTEGER REFERENCES effects,
    merged_into INTEGER REFERENCES jobs,
    depth INTEGER NOT NULL DEFAULT 0,
    by_person INTEGER NOT NULL DEFAULT 1,
    priority INTEGER NOT NULL DEFAULT 2,
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'merged', 'superseded')),
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    lease_until REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    UNIQUE (bot, event_key)
) STRICT;
CREATE INDEX jobs_pending ON jobs (priority, id) WHERE state = 'pending';
CREATE INDEX jobs_pending_of_ref ON jobs (ref, id) WHERE state = 'pending';
CREATE INDEX jobs_running ON jobs (ref) WHERE state = 'running';
CREATE INDEX jobs_of_ref ON jobs (ref, id);
CREATE INDEX jobs_failed ON jobs (id) WHERE state = 'failed';

-- What a bot asked and was told in a job, compressed, so that its decision can be replayed.
CREATE TABLE recordings (
    job INTEGER PRIMARY KEY REFERENCES jobs,
    team TEXT NOT NULL,
    body BLOB NOT NULL,
    recorded_at REAL NOT NULL
) STRICT;
CREATE INDEX recordings_by_age ON recordings (recorded_at);

-- The outbox: actions on a forge or on the ledger itself, made by a job, a turn or the hive. `actor` is the login that
-- acts, `payload` the action as JSON, `event_key` the key of the event that the action makes on the forge, if known.
CREATE TABLE effects (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    job INTEGER REFERENCES jobs,
    turn INTEGER REFERENCES turns,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    ref TEXT NOT NULL DEFAULT '',
    depth INTEGER NOT NULL DEFAULT 0,
    event_key TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'superseded', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    lease_until REAL NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '{}',
    error TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    done_at REAL NOT NULL DEFAULT 0,
    UNIQUE (key, kind)
) STRICT;
CREATE INDEX effects_due ON effects (state, next_at) WHERE state IN ('pending', 'running');
CREATE INDEX effects_of_ref ON effects (ref, id);
CREATE INDEX effects_of_job ON effects (job, id);
CREATE INDEX effects_failed ON effects (id) WHERE state = 'failed';

-- Why work is suspended, one row for each reason: it resumes when the last one is gone. `name` is the account, bot,
-- agent, ref or repository that the scope means, empty for a whole team. `next_at` is when to check again.
CREATE TABLE suspensions (
    team TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    since REAL NOT NULL,
    next_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (team, scope, name, reason)
) STRICT;

-- Refs on which the loop guard stopped the hive; `issue` is the effect that tells the operators.
CREATE TABLE breakers (
    team TEXT NOT NULL,
    ref TEXT NOT NULL,
    issue INTEGER REFERENCES effects,
    tripped_at REAL NOT NULL DEFAULT 0,
    reset_at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (team, ref)
) STRICT;

-- An agent's work on one issue. `depends_on` is the configuration pull request that has to be deployed first,
-- `blocked_reason` why it waits for an operator, `labels` those enqueued last for its issue (NULL: never).
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    ref TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    effect INTEGER REFERENCES effects,
    pull TEXT,
    depends_on TEXT,
    blocked_reason TEXT NOT NULL DEFAULT '',
    labels TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'ended')),
    outcome TEXT NOT NULL DEFAULT '',
    steps INTEGER NOT NULL DEFAULT 0,
    tokens_in INTEGER NOT NULL DEFAULT 0,
    tokens_out INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE UNIQUE INDEX one_open_run ON runs (agent, ref) WHERE state = 'open';
CREATE INDEX runs_of_ref ON runs (ref);
CREATE INDEX runs_of_pull ON runs (pull);
CREATE INDEX runs_with_labels ON runs (id) WHERE state = 'open' OR labels IS NOT '';

-- One message that an agent has to deal with. Its holder shows the token of `token_hash`. `memory` is how much of the
-- transcript it begins with, `conversation` the one on a line of a pull request that it answers in, `released_at` when
-- it was put back behind what was pending then.
CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    effect INTEGER REFERENCES effects,
    message TEXT NOT NULL,
    by_person INTEGER NOT NULL,
    depth INTEGER NOT NULL DEFAULT 0,
    memory TEXT NOT NULL DEFAULT '' CHECK (memory IN ('', 'compact', 'new')),
    conversation TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done')),
    token_hash TEXT UNIQUE,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_until REAL NOT NULL DEFAULT 0,
    released_at REAL NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE INDEX turns_open ON turns (agent, state, id) WHERE state != 'done';
CREATE INDEX turns_of_run ON turns (run, id);

-- What was said and done in a run, line by line, compressed.
CREATE TABLE transcripts (
    run INTEGER NOT NULL REFERENCES runs,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    received_at REAL NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;

-- Conversations on lines of a pull request that a run was told of; `head` is the commit they were told at.
CREATE TABLE conversations (
    ref TEXT NOT NULL,
    comment INTEGER NOT NULL,
    review INTEGER NOT NULL,
    run INTEGER NOT NULL REFERENCES runs,
    head TEXT NOT NULL,
    is_resolved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (ref, comment)
) STRICT;
CREATE INDEX conversations_of_run ON conversations (run) WHERE NOT is_resolved;

-- The verdict given last on a pull request, as a commit status named `context`.
CREATE TABLE verdicts (
    ref TEXT NOT NULL,
    context TEXT NOT NULL,
    head TEXT NOT NULL,
    base TEXT NOT NULL,
    base_sha TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (ref, context)
) STRICT;

-- An agent's baseline: the commit of its configuration approved last (`sha`, when the repository's activity stood at
-- `cursor`), the one meant to run, the one whose container sent heartbeats, and one that is not tried again.
-- `model` is an operator's choice; the requests are due while they are later than what was done.
CREATE TABLE baselines (
    agent TEXT PRIMARY KEY,
    team TEXT NOT NULL,
    repo TEXT NOT NULL,
    repo_id INTEGER NOT NULL,
    branch TEXT NOT NULL,
    sha TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    running_sha TEXT NOT NULL DEFAULT '',
    healthy_sha TEXT NOT NULL DEFAULT '',
    rejected_sha TEXT NOT NULL DEFAULT '',
    check_requested_at REAL NOT NULL DEFAULT 0,
    checked_at REAL NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    restart_requested_at REAL NOT NULL DEFAULT 0,
    restarted_at REAL NOT NULL DEFAULT 0
) STRICT;

-- Heads of configuration pull requests, and the tree that was evaluated for each.
CREATE TABLE proposals (
    ref TEXT NOT NULL,
    head TEXT NOT NULL,
    tree TEXT NOT NULL,
    team TEXT NOT NULL DEFAULT '',
    pinned_at REAL NOT NULL,
    PRIMARY KEY (ref, head, tree)
) STRICT;

-- Attempts to bring one commit into one container; `pulls` are numbers of merged pull requests, as JSON.
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    sha TEXT NOT NULL,
    previous_sha TEXT NOT NULL DEFAULT '',
    pulls TEXT NOT NULL,
    cursor INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE UNIQUE INDEX one_open_deployment ON deployments (agent) WHERE ended_at IS NULL;

-- Containers that ended unasked, and the turn that each held (0: none).
CREATE TABLE crashes (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL
) STRICT;
CREATE INDEX crashes_of_agent ON crashes (agent, at);

-- What is wrong with the hive itself, from when to when.
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL,
    subject TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE UNIQUE INDEX one_open_incident ON incidents (team, subject) WHERE ended_at IS NULL;

-- What happened on a forge, as polling found it: each change once. `place` is a number, a branch, a commit, or empty for
-- the repository; `what` the label, account or title it is about; `at` is ISO 8601.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    team TEXT NOT NULL DEFAULT '',
    forge TEXT NOT NULL,
    repo_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    what TEXT NOT NULL,
    actor_id INTEGER NOT NULL,
    actor TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

-- How repositories, issues and pull requests stood when they were polled last, as JSON.
CREATE TABLE repository_snapshots (
    forge TEXT NOT NULL,
    repo_id INTEGER NOT NULL,
    owner TEXT NOT NULL,
    team TEXT NOT NULL DEFAULT '',
    value TEXT NOT NULL,
    PRIMARY KEY (forge, repo_id)
) STRICT;
CREATE TABLE subject_snapshots (
    forge TEXT NOT NULL,
    repo_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    team TEXT NOT NULL DEFAULT '',
    value TEXT NOT NULL,
    PRIMARY KEY (forge, repo_id, number)
) STRICT;

-- Repositories by the id that a forge never gives again: `name` in hive.yaml, `path` on the forge now.
CREATE TABLE repositories (
    forge TEXT NOT NULL,
    id INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (forge, id),
    UNIQUE (forge, name)
) STRICT;

-- Accounts by the id that their login had first.
CREATE TABLE identities (
    forge TEXT NOT NULL,
    login TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (forge, login)
) STRICT;

-- Where polling and pruning go on.
CREATE TABLE cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

-- Who did what, when. Rows are only ever added, and removed after `keep.row_days`.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    team TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    ref TEXT NOT NULL,
    url TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- Jobs, effects and runs that are suspended.
CREATE VIEW suspended_jobs AS
    SELECT DISTINCT jobs.id AS id FROM jobs JOIN suspensions ON suspensions.team = jobs.team AND (
        suspensions.scope = 'team'
        OR (suspensions.scope = 'bot' AND suspensions.name = jobs.bot)
        OR (suspensions.scope = 'subject' AND suspensions.name = jobs.ref)
        OR (suspensions.scope = 'repository' AND suspensions.name = substr(jobs.ref, 1, instr(jobs.ref, '#') - 1))
    );
CREATE VIEW suspended_effects AS
    SELECT DISTINCT effects.id AS id FROM effects JOIN suspensions ON suspensions.team = effects.team AND (
        suspensions.scope = 'team'
        OR (suspensions.scope = 'account' AND suspensions.name = effects.actor)
        OR (suspensions.scope = 'subject' AND suspensions.name = effects.ref)
        OR (suspensions.scope = 'repository' AND suspensions.name = substr(effects.ref, 1, instr(effects.ref, '#') - 1))
    );
CREATE VIEW suspended_runs AS
    SELECT runs.id AS id, suspensions.reason AS reason FROM runs JOIN suspensions ON suspensions.team = runs.team
        AND suspensions.scope = 'repository' AND suspensions.name = substr(runs.ref, 1, instr(runs.ref, '#') - 1);

-- What came of what: a row (`kind`, `id`) was caused by the row (`cause_kind`, `cause_id`).
CREATE VIEW causes AS
    SELECT team, 'job' AS kind, id, 'delivery' AS cause_kind, delivery AS cause_id FROM jobs WHERE delivery IS NOT NULL
    UNION ALL SELECT team, 'job', id, 'effect', cause FROM jobs WHERE cause IS NOT NULL
    UNION ALL SELECT team, 'job', id, 'job', merged_into FROM jobs WHERE merged_into IS NOT NULL
    UNION ALL SELECT team, 'effect', id, 'job', job FROM effects WHERE job IS NOT NULL
    UNION ALL SELECT team, 'effect', id, 'turn', turn FROM effects WHERE turn IS NOT NULL
    UNION ALL SELECT team, 'run', id, 'effect', effect FROM runs WHERE effect IS NOT NULL
    UNION ALL SELECT team, 'turn', id, 'effect', effect FROM turns WHERE effect IS NOT NULL
    UNION ALL SELECT team, 'turn', id, 'run', run FROM turns;
