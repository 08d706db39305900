"""The ledger's tables, as numbered migrations: a new one is added at the end, none is ever changed."""

MIGRATIONS = (
    """
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, forge TEXT NOT NULL, uuid TEXT NOT NULL, kind TEXT NOT NULL,
        body BLOB NOT NULL, received_at REAL NOT NULL, UNIQUE (forge, uuid)
    ) STRICT;

    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, bot TEXT NOT NULL, ref TEXT NOT NULL,
        event_type TEXT NOT NULL, event_key TEXT NOT NULL, event TEXT NOT NULL,
        delivery INTEGER REFERENCES deliveries,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, lease_until REAL NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL, UNIQUE (bot, event_key)
    ) STRICT;
    CREATE INDEX jobs_due ON jobs (state, next_at) WHERE state IN ('waiting', 'running');
    CREATE INDEX jobs_of_ref ON jobs (ref, state) WHERE state IN ('waiting', 'running');

    CREATE TABLE effects (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, job INTEGER REFERENCES jobs, actor TEXT NOT NULL,
        kind TEXT NOT NULL, key TEXT NOT NULL UNIQUE, payload TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'applying', 'done', 'dropped', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, lease_until REAL NOT NULL DEFAULT 0,
        result TEXT NOT NULL DEFAULT '{}', error TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX effects_due ON effects (state, next_at) WHERE state IN ('waiting', 'applying');

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, agent TEXT NOT NULL, ref TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
        pull TEXT, waits_for TEXT, state TEXT NOT NULL CHECK (state IN ('open', 'ended')),
        outcome TEXT NOT NULL DEFAULT '', steps INTEGER NOT NULL DEFAULT 0,
        tokens_in INTEGER NOT NULL DEFAULT 0, tokens_out INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL, ended_at REAL
    ) STRICT;
    CREATE UNIQUE INDEX one_open_run ON runs (agent, ref) WHERE state = 'open';
    CREATE INDEX runs_of_ref ON runs (ref);
    CREATE INDEX runs_of_pull ON runs (pull);

    CREATE TABLE turns (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, agent TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
        message TEXT NOT NULL, by_person INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'done')),
        token_hash TEXT UNIQUE, lease_until REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
        outcome TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL, ended_at REAL
    ) STRICT;
    CREATE INDEX turns_open ON turns (agent, state, id) WHERE state != 'done';

    CREATE TABLE proposals (
        ref TEXT NOT NULL, head TEXT NOT NULL, tree TEXT NOT NULL, pinned_at REAL NOT NULL,
        PRIMARY KEY (ref, head, tree)
    ) STRICT;

    CREATE TABLE anchors (
        agent TEXT PRIMARY KEY, team TEXT NOT NULL, repo TEXT NOT NULL, repo_id INTEGER NOT NULL,
        branch TEXT NOT NULL, sha TEXT NOT NULL, cursor INTEGER NOT NULL, running TEXT NOT NULL DEFAULT '',
        answered TEXT NOT NULL DEFAULT '',
        blocked TEXT NOT NULL DEFAULT '', asked_at REAL NOT NULL DEFAULT 0, looked_at REAL NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE deployments (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, agent TEXT NOT NULL, sha TEXT NOT NULL, pulls TEXT NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', cursor INTEGER NOT NULL DEFAULT 0,
        previous TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL, ended_at REAL
    ) STRICT;
    CREATE UNIQUE INDEX one_open_deployment ON deployments (agent) WHERE ended_at IS NULL;

    CREATE TABLE identities (
        forge TEXT NOT NULL, login TEXT NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (forge, login)
    ) STRICT;

    CREATE TABLE cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

    CREATE TABLE audit (
        id INTEGER PRIMARY KEY, at REAL NOT NULL, team TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        ref TEXT NOT NULL, url TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE parked (
        team TEXT NOT NULL, scope TEXT NOT NULL CHECK (scope IN ('team', 'account', 'bot')), name TEXT NOT NULL,
        reason TEXT NOT NULL, since REAL NOT NULL, next_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (team, scope, name)
    ) STRICT;

    CREATE VIEW resting_jobs AS SELECT jobs.id AS id FROM jobs JOIN parked ON parked.team = jobs.team
        AND (parked.scope = 'team' OR (parked.scope = 'bot' AND parked.name = jobs.bot));

    CREATE VIEW resting_effects AS SELECT effects.id AS id FROM effects JOIN parked ON parked.team = effects.team
        AND (parked.scope = 'team' OR (parked.scope = 'account' AND parked.name = effects.actor));
    """,
    """
    ALTER TABLE deliveries ADD COLUMN state TEXT NOT NULL DEFAULT 'read' CHECK (state IN ('waiting', 'read', 'failed'));
    CREATE INDEX deliveries_waiting ON deliveries (id) WHERE state = 'waiting';
    """,
    """
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, forge TEXT NOT NULL, repo_id INTEGER NOT NULL,
        kind TEXT NOT NULL, place TEXT NOT NULL, what TEXT NOT NULL, actor_id INTEGER NOT NULL, actor TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT;

    CREATE TABLE known_repos (
        forge TEXT NOT NULL, repo_id INTEGER NOT NULL, owner TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (forge, repo_id)
    ) STRICT;

    CREATE TABLE known_subjects (
        forge TEXT NOT NULL, repo_id INTEGER NOT NULL, number INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (forge, repo_id, number)
    ) STRICT;
    """,
    """
    DROP VIEW resting_jobs;
    DROP VIEW resting_effects;

    CREATE TABLE parked_for (
        team TEXT NOT NULL, scope TEXT NOT NULL CHECK (scope IN ('team', 'account', 'bot', 'agent', 'subject')),
        name TEXT NOT NULL, why TEXT NOT NULL CHECK (why IN ('forge away', 'token refused', 'paused', 'rate limited',
        'needs login', 'over budget', 'runaway')), reason TEXT NOT NULL, since REAL NOT NULL, next_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (team, scope, name, why)
    ) STRICT;
    INSERT INTO parked_for SELECT team, scope, name, CASE scope WHEN 'team' THEN 'forge away' ELSE 'token refused' END,
        reason, since, next_at, attempts FROM parked;
    DROP TABLE parked;
    ALTER TABLE parked_for RENAME TO parked;

    CREATE TABLE jobs_of_events (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, bot TEXT NOT NULL, ref TEXT NOT NULL,
        event_type TEXT NOT NULL, event_key TEXT NOT NULL, event TEXT NOT NULL,
        delivery INTEGER REFERENCES deliveries, cause INTEGER REFERENCES effects, merged_into INTEGER REFERENCES jobs,
        depth INTEGER NOT NULL DEFAULT 0, by_person INTEGER NOT NULL DEFAULT 1, priority INTEGER NOT NULL DEFAULT 2,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'merged', 'superseded')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, lease_until REAL NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL, UNIQUE (bot, event_key)
    ) STRICT;
    INSERT INTO jobs_of_events (id, team, bot, ref, event_type, event_key, event, delivery, state, attempts, next_at,
        lease_until, error, created_at) SELECT id, team, bot, ref, event_type, event_key, event, delivery, state,
        attempts, next_at, lease_until, error, created_at FROM jobs;
    DROP TABLE jobs;
    ALTER TABLE jobs_of_events RENAME TO jobs;
    CREATE INDEX jobs_waiting ON jobs (priority, id) WHERE state = 'waiting';
    CREATE INDEX jobs_waiting_of_ref ON jobs (ref, id) WHERE state = 'waiting';
    CREATE INDEX jobs_running ON jobs (ref) WHERE state = 'running';
    CREATE INDEX jobs_of_ref ON jobs (ref, id);
    CREATE INDEX jobs_failed ON jobs (id) WHERE state = 'failed';

    ALTER TABLE effects ADD COLUMN ref TEXT NOT NULL DEFAULT '';
    ALTER TABLE effects ADD COLUMN turn INTEGER REFERENCES turns;
    ALTER TABLE effects ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE effects ADD COLUMN made TEXT NOT NULL DEFAULT '';
    ALTER TABLE effects ADD COLUMN done_at REAL NOT NULL DEFAULT 0;
    CREATE INDEX effects_of_ref ON effects (ref, id);
    CREATE INDEX effects_of_job ON effects (job, id);
    CREATE INDEX effects_failed ON effects (id) WHERE state = 'failed';

    ALTER TABLE runs ADD COLUMN effect INTEGER REFERENCES effects;
    ALTER TABLE turns ADD COLUMN memory TEXT NOT NULL DEFAULT '' CHECK (memory IN ('', 'compact', 'new'));
    ALTER TABLE turns ADD COLUMN team TEXT NOT NULL DEFAULT '';
    ALTER TABLE turns ADD COLUMN effect INTEGER REFERENCES effects;
    ALTER TABLE turns ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
    UPDATE turns SET team = (SELECT team FROM runs WHERE runs.id = turns.run);

    ALTER TABLE anchors ADD COLUMN model TEXT NOT NULL DEFAULT '';
    ALTER TABLE anchors ADD COLUMN restart_at REAL NOT NULL DEFAULT 0;
    ALTER TABLE anchors ADD COLUMN restarted_at REAL NOT NULL DEFAULT 0;

    ALTER TABLE proposals ADD COLUMN team TEXT NOT NULL DEFAULT '';
    ALTER TABLE changes ADD COLUMN team TEXT NOT NULL DEFAULT '';
    ALTER TABLE known_repos ADD COLUMN team TEXT NOT NULL DEFAULT '';
    ALTER TABLE known_subjects ADD COLUMN team TEXT NOT NULL DEFAULT '';

    CREATE TABLE breakers (
        team TEXT NOT NULL, ref TEXT NOT NULL, issue INTEGER REFERENCES effects, tripped_at REAL NOT NULL DEFAULT 0,
        reset_at REAL NOT NULL DEFAULT 0, PRIMARY KEY (team, ref)
    ) STRICT;

    CREATE TABLE tapes (
        job INTEGER PRIMARY KEY REFERENCES jobs, team TEXT NOT NULL, body BLOB NOT NULL, recorded_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX tapes_by_age ON tapes (recorded_at);

    CREATE VIEW resting_jobs AS SELECT DISTINCT jobs.id AS id FROM jobs JOIN parked ON parked.team = jobs.team
        AND (parked.scope = 'team' OR (parked.scope = 'bot' AND parked.name = jobs.bot)
        OR (parked.scope = 'subject' AND parked.name = jobs.ref));

    CREATE VIEW resting_effects AS SELECT DISTINCT effects.id AS id FROM effects JOIN parked
        ON parked.team = effects.team AND (parked.scope = 'team'
        OR (parked.scope = 'account' AND parked.name = effects.actor)
        OR (parked.scope = 'subject' AND parked.name = effects.ref));

    CREATE VIEW causes AS
        SELECT team, 'job' AS what, id, 'delivery' AS by_what, delivery AS by_id FROM jobs WHERE delivery IS NOT NULL
        UNION ALL SELECT team, 'job', id, 'effect', cause FROM jobs WHERE cause IS NOT NULL
        UNION ALL SELECT team, 'job', id, 'job', merged_into FROM jobs WHERE merged_into IS NOT NULL
        UNION ALL SELECT team, 'effect', id, 'job', job FROM effects WHERE job IS NOT NULL
        UNION ALL SELECT team, 'effect', id, 'turn', turn FROM effects WHERE turn IS NOT NULL
        UNION ALL SELECT team, 'run', id, 'effect', effect FROM runs WHERE effect IS NOT NULL
        UNION ALL SELECT team, 'turn', id, 'effect', effect FROM turns WHERE effect IS NOT NULL
        UNION ALL SELECT team, 'turn', id, 'run', run FROM turns;
    """,
    """
    DROP VIEW resting_effects;
    DROP VIEW causes;

    CREATE TABLE effects_of_kinds (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, job INTEGER REFERENCES jobs, turn INTEGER REFERENCES turns,
        actor TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, ref TEXT NOT NULL DEFAULT '',
        depth INTEGER NOT NULL DEFAULT 0, made TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL CHECK (state IN ('waiting', 'applying', 'done', 'dropped', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, lease_until REAL NOT NULL DEFAULT 0,
        result TEXT NOT NULL DEFAULT '{}', error TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL,
        done_at REAL NOT NULL DEFAULT 0, UNIQUE (key, kind)
    ) STRICT;
    INSERT INTO effects_of_kinds (id, team, job, turn, actor, kind, key, payload, ref, depth, made, state, attempts,
        next_at, lease_until, result, error, created_at, done_at) SELECT id, team, job, turn, actor, kind, key, payload,
        ref, depth, made, state, attempts, next_at, lease_until, result, error, created_at, done_at FROM effects;
    DROP TABLE effects;
    ALTER TABLE effects_of_kinds RENAME TO effects;
    CREATE INDEX effects_due ON effects (state, next_at) WHERE state IN ('waiting', 'applying');
    CREATE INDEX effects_of_ref ON effects (ref, id);
    CREATE INDEX effects_of_job ON effects (job, id);
    CREATE INDEX effects_failed ON effects (id) WHERE state = 'failed';

    CREATE VIEW resting_effects AS SELECT DISTINCT effects.id AS id FROM effects JOIN parked
        ON parked.team = effects.team AND (parked.scope = 'team'
        OR (parked.scope = 'account' AND parked.name = effects.actor)
        OR (parked.scope = 'subject' AND parked.name = effects.ref));

    CREATE VIEW causes AS
        SELECT team, 'job' AS what, id, 'delivery' AS by_what, delivery AS by_id FROM jobs WHERE delivery IS NOT NULL
        UNION ALL SELECT team, 'job', id, 'effect', cause FROM jobs WHERE cause IS NOT NULL
        UNION ALL SELECT team, 'job', id, 'job', merged_into FROM jobs WHERE merged_into IS NOT NULL
        UNION ALL SELECT team, 'effect', id, 'job', job FROM effects WHERE job IS NOT NULL
        UNION ALL SELECT team, 'effect', id, 'turn', turn FROM effects WHERE turn IS NOT NULL
        UNION ALL SELECT team, 'run', id, 'effect', effect FROM runs WHERE effect IS NOT NULL
        UNION ALL SELECT team, 'turn', id, 'effect', effect FROM turns WHERE effect IS NOT NULL
        UNION ALL SELECT team, 'turn', id, 'run', run FROM turns;
    """,
    """
    ALTER TABLE runs ADD COLUMN blocked TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN shown TEXT;
    CREATE INDEX runs_changing ON runs (id) WHERE state = 'open' OR shown IS NOT '';
    CREATE INDEX turns_of_run ON turns (run, id);
    """,
    """
    DROP VIEW resting_jobs;
    DROP VIEW resting_effects;

    CREATE TABLE parked_again (
        team TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, why TEXT NOT NULL, reason TEXT NOT NULL,
        since REAL NOT NULL, next_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (team, scope, name, why)
    ) STRICT;
    INSERT INTO parked_again SELECT team, scope, name, why, reason, since, next_at, attempts FROM parked;
    DROP TABLE parked;
    ALTER TABLE parked_again RENAME TO parked;

    CREATE VIEW resting_jobs AS SELECT DISTINCT jobs.id AS id FROM jobs JOIN parked ON parked.team = jobs.team
        AND (parked.scope = 'team' OR (parked.scope = 'bot' AND parked.name = jobs.bot)
        OR (parked.scope = 'subject' AND parked.name = jobs.ref));

    CREATE VIEW resting_effects AS SELECT DISTINCT effects.id AS id FROM effects JOIN parked
        ON parked.team = effects.team AND (parked.scope = 'team'
        OR (parked.scope = 'account' AND parked.name = effects.actor)
        OR (parked.scope = 'subject' AND parked.name = effects.ref));
    """,
    """
    CREATE TABLE incidents (
        id INTEGER PRIMARY KEY, team TEXT NOT NULL, subject TEXT NOT NULL, began_at REAL NOT NULL, ended_at REAL
    ) STRICT;
    CREATE UNIQUE INDEX one_open_incident ON incidents (team, subject) WHERE ended_at IS NULL;

    CREATE TABLE crashes (id INTEGER PRIMARY KEY, team TEXT NOT NULL, agent TEXT NOT NULL, at REAL NOT NULL) STRICT;
    CREATE INDEX crashes_of_agent ON crashes (agent, at);
    """,
    """
    CREATE TABLE verdicts (
        ref TEXT NOT NULL, context TEXT NOT NULL, head TEXT NOT NULL, base TEXT NOT NULL, base_sha TEXT NOT NULL,
        scope TEXT NOT NULL, state TEXT NOT NULL, description TEXT NOT NULL, url TEXT NOT NULL,
        PRIMARY KEY (ref, context)
    ) STRICT;
    """,
    """
    CREATE TABLE transcripts (
        run INTEGER NOT NULL REFERENCES runs, number INTEGER NOT NULL, body BLOB NOT NULL, told_at REAL NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT;
    """,
    """
    ALTER TABLE turns ADD COLUMN let_go_at REAL NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE conversations (
        ref TEXT NOT NULL, remark INTEGER NOT NULL, review INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES runs,
        head TEXT NOT NULL, is_over INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (ref, remark)
    ) STRICT;
    CREATE INDEX conversations_of_run ON conversations (run) WHERE NOT is_over;
    ALTER TABLE turns ADD COLUMN answers TEXT NOT NULL DEFAULT '';
    """,
    """
    ALTER TABLE crashes ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE repositories (
        forge TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, path TEXT NOT NULL COLLATE NOCASE,
        PRIMARY KEY (forge, id), UNIQUE (forge, name)
    ) STRICT;
    INSERT OR IGNORE INTO repositories (forge, id, name, path)
        SELECT substr(repo, 1, instr(repo, ':') - 1), repo_id, substr(repo, instr(repo, ':') + 1),
            substr(repo, instr(repo, ':') + 1) FROM anchors;
    INSERT OR IGNORE INTO repositories (forge, id, name, path)
        SELECT substr(name, 12, instr(substr(name, 12), ':') - 1), CAST(value AS INTEGER),
            substr(substr(name, 12), instr(substr(name, 12), ':') + 1),
            substr(substr(name, 12), instr(substr(name, 12), ':') + 1)
        FROM cursors WHERE name LIKE 'repository:%:%/%';
    DELETE FROM cursors WHERE name LIKE 'repository:%:%/%';

    DROP VIEW resting_jobs;
    DROP VIEW resting_effects;

    CREATE VIEW resting_jobs AS SELECT DISTINCT jobs.id AS id FROM jobs JOIN parked ON parked.team = jobs.team
        AND (parked.scope = 'team' OR (parked.scope = 'bot' AND parked.name = jobs.bot)
        OR (parked.scope = 'subject' AND parked.name = jobs.ref)
        OR (parked.scope = 'repository' AND parked.name = substr(jobs.ref, 1, instr(jobs.ref, '#') - 1)));

    CREATE VIEW resting_effects AS SELECT DISTINCT effects.id AS id FROM effects JOIN parked
        ON parked.team = effects.team AND (parked.scope = 'team'
        OR (parked.scope = 'account' AND parked.name = effects.actor)
        OR (parked.scope = 'subject' AND parked.name = effects.ref)
        OR (parked.scope = 'repository' AND parked.name = substr(effects.ref, 1, instr(effects.ref, '#') - 1)));

    CREATE VIEW resting_runs AS SELECT runs.id AS id, parked.why AS why FROM runs JOIN parked
        ON parked.team = runs.team AND parked.scope = 'repository'
        AND parked.name = substr(runs.ref, 1, instr(runs.ref, '#') - 1);
    """,
)
