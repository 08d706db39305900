-- The state of an embedded forge. Identifiers only ever grow; times are whole seconds since 1970.
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT NOT NULL UNIQUE COLLATE NOCASE, is_org INTEGER NOT NULL DEFAULT 0,
    email TEXT NOT NULL DEFAULT '', password TEXT NOT NULL DEFAULT '', full_name TEXT NOT NULL DEFAULT '',
    login_name TEXT NOT NULL DEFAULT '', source_id INTEGER NOT NULL DEFAULT 0, description TEXT NOT NULL DEFAULT '',
    website TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '', visibility TEXT NOT NULL DEFAULT 'public',
    is_admin INTEGER NOT NULL DEFAULT 0, active INTEGER NOT NULL DEFAULT 1, restricted INTEGER NOT NULL DEFAULT 0,
    prohibit_login INTEGER NOT NULL DEFAULT 0, must_change_password INTEGER NOT NULL DEFAULT 0,
    hide_activity INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, last_login INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS former_logins (login TEXT PRIMARY KEY COLLATE NOCASE, user_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,
    last_eight TEXT NOT NULL, scopes TEXT NOT NULL, repos TEXT, created INTEGER NOT NULL, UNIQUE (user_id, name)
);
CREATE TABLE IF NOT EXISTS teams (
    id INTEGER PRIMARY KEY AUTOINCREMENT, org_id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    description TEXT NOT NULL DEFAULT '', mode INTEGER NOT NULL, units TEXT NOT NULL DEFAULT '{}',
    all_repos INTEGER NOT NULL DEFAULT 0, can_create INTEGER NOT NULL DEFAULT 0, UNIQUE (org_id, name)
);
CREATE TABLE IF NOT EXISTS team_members (team_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (team_id, user_id));
CREATE TABLE IF NOT EXISTS repos (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner_id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    description TEXT NOT NULL DEFAULT '', website TEXT NOT NULL DEFAULT '', private INTEGER NOT NULL DEFAULT 0,
    template INTEGER NOT NULL DEFAULT 0, default_branch TEXT NOT NULL, fork_of INTEGER, archived INTEGER NOT NULL DEFAULT 0,
    settings TEXT NOT NULL DEFAULT '{}', last_number INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, UNIQUE (owner_id, name)
);
CREATE TABLE IF NOT EXISTS former_names (owner_id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, repo_id INTEGER NOT NULL, PRIMARY KEY (owner_id, name));
CREATE TABLE IF NOT EXISTS collaborators (repo_id INTEGER NOT NULL, user_id INTEGER NOT NULL, mode INTEGER NOT NULL, PRIMARY KEY (repo_id, user_id));
-- What a branch or tag pointed to when its last movement was booked.
CREATE TABLE IF NOT EXISTS refs (repo_id INTEGER NOT NULL, name TEXT NOT NULL, sha TEXT NOT NULL, actor_id INTEGER NOT NULL, PRIMARY KEY (repo_id, name));
-- Who is about to move what: written before git is told, deleted when the movement is booked or did not happen.
CREATE TABLE IF NOT EXISTS moves (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, actor_id INTEGER NOT NULL, ref TEXT NOT NULL,
    old TEXT NOT NULL, new TEXT NOT NULL, cause TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER, org_id INTEGER, name TEXT NOT NULL, color TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '', exclusive INTEGER NOT NULL DEFAULT 0, is_archived INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS milestones (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
    closed INTEGER, due INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS issues (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, number INTEGER NOT NULL, user_id INTEGER NOT NULL,
    is_pull INTEGER NOT NULL DEFAULT 0, title TEXT NOT NULL, body TEXT NOT NULL DEFAULT '', ref TEXT NOT NULL DEFAULT '',
    milestone_id INTEGER, closed INTEGER, due INTEGER, pin INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, UNIQUE (repo_id, number)
);
CREATE TABLE IF NOT EXISTS locks (issue_id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS issue_labels (issue_id INTEGER NOT NULL, label_id INTEGER NOT NULL, PRIMARY KEY (issue_id, label_id));
CREATE TABLE IF NOT EXISTS assignees (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue_id INTEGER NOT NULL, user_id INTEGER NOT NULL, UNIQUE (issue_id, user_id)
);
CREATE TABLE IF NOT EXISTS dependencies (issue_id INTEGER NOT NULL, on_id INTEGER NOT NULL, PRIMARY KEY (issue_id, on_id));
CREATE TABLE IF NOT EXISTS attachments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue_id INTEGER NOT NULL, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    content BLOB NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS reactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue_id INTEGER NOT NULL, comment_id INTEGER NOT NULL DEFAULT 0,
    user_id INTEGER NOT NULL, content TEXT NOT NULL, created INTEGER NOT NULL, UNIQUE (issue_id, comment_id, user_id, content)
);
-- Every row of a timeline; `detail` holds what only its kind has.
CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue_id INTEGER NOT NULL, kind TEXT NOT NULL, user_id INTEGER NOT NULL,
    body TEXT NOT NULL DEFAULT '', review_id INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '{}',
    created INTEGER NOT NULL, updated INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS pulls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue_id INTEGER NOT NULL UNIQUE, repo_id INTEGER NOT NULL,
    head_repo_id INTEGER NOT NULL, head_branch TEXT NOT NULL, base_branch TEXT NOT NULL,
    head_sha TEXT NOT NULL, merge_base TEXT NOT NULL, additions INTEGER NOT NULL DEFAULT 0, deletions INTEGER NOT NULL DEFAULT 0,
    changed_files INTEGER NOT NULL DEFAULT 0, conflict INTEGER NOT NULL DEFAULT 0, checked TEXT NOT NULL DEFAULT '',
    checking_until REAL NOT NULL DEFAULT 0, maintainer_edit INTEGER NOT NULL DEFAULT 0,
    merged INTEGER, merged_by INTEGER, merge_sha TEXT, schedule TEXT
);
CREATE TABLE IF NOT EXISTS reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue_id INTEGER NOT NULL, user_id INTEGER NOT NULL, team_id INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL, body TEXT NOT NULL DEFAULT '', sha TEXT NOT NULL DEFAULT '', official INTEGER NOT NULL DEFAULT 0,
    stale INTEGER NOT NULL DEFAULT 0, dismissed INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, updated INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS statuses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, nth INTEGER NOT NULL, sha TEXT NOT NULL, user_id INTEGER NOT NULL,
    context TEXT NOT NULL, state TEXT NOT NULL, description TEXT NOT NULL, target_url TEXT NOT NULL, created INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS statuses_of_commit ON statuses (repo_id, sha);
CREATE TABLE IF NOT EXISTS protections (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, UNIQUE (repo_id, name)
);
CREATE TABLE IF NOT EXISTS releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, user_id INTEGER NOT NULL, tag TEXT NOT NULL,
    target TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', body TEXT NOT NULL DEFAULT '', is_tag INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL, UNIQUE (repo_id, tag)
);
-- A hook belongs to a repository, to an organisation or user, or to the whole forge (both null).
CREATE TABLE IF NOT EXISTS hooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER, owner_id INTEGER, is_system INTEGER NOT NULL DEFAULT 0,
    type TEXT NOT NULL, url TEXT NOT NULL, content_type TEXT NOT NULL, secret TEXT NOT NULL, authorization TEXT NOT NULL,
    branch_filter TEXT NOT NULL, events TEXT NOT NULL, active INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL
);
-- A delivery is stored before it is tried, and tried once.
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, hook_id INTEGER NOT NULL, uuid TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL,
    due REAL NOT NULL, tried REAL, answer INTEGER
);
CREATE INDEX IF NOT EXISTS deliveries_to_try ON deliveries (id) WHERE tried IS NULL;
CREATE TABLE IF NOT EXISTS feed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL, user_id INTEGER NOT NULL, op TEXT NOT NULL,
    ref TEXT NOT NULL DEFAULT '', comment_id INTEGER NOT NULL DEFAULT 0, content TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS feed_of_repo ON feed (repo_id);
CREATE INDEX IF NOT EXISTS comments_of_issue ON comments (issue_id);
CREATE INDEX IF NOT EXISTS reviews_of_issue ON reviews (issue_id);
CREATE VIEW IF NOT EXISTS repositories AS
    SELECT repos.*, users.login AS owner, users.is_org AS of_org, users.login || '/' || repos.name AS full_name
    FROM repos JOIN users ON users.id = repos.owner_id;
