-- The terms of issues, to find those that say the same. Every term bears the digest of its repository, so that no count of words
-- and no search goes beyond it.
CREATE TABLE issue_texts (
    id INTEGER PRIMARY KEY,
    repo TEXT NOT NULL,
    number INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    indexed_at REAL NOT NULL,
    UNIQUE (repo, number)
) STRICT;
CREATE VIRTUAL TABLE issue_terms USING fts5 (
    title, body, content = 'issue_texts', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 0", detail = 'column'
);
-- In how many issues of a repository a term is.
CREATE TABLE issue_term_counts (
    repo TEXT NOT NULL,
    term TEXT NOT NULL,
    issues INTEGER NOT NULL,
    PRIMARY KEY (repo, term)
) STRICT, WITHOUT ROWID;

-- What triage has said on an issue, in its one comment (0: none yet, -1: a person has deleted it). `head` is what it said of kind
-- and lane, `asked` the fields that it has asked for, as JSON, `as_of` when the issue was so, `changes` how often it was edited.
CREATE TABLE triage_notes (
    ref TEXT PRIMARY KEY,
    comment INTEGER NOT NULL,
    head TEXT NOT NULL,
    asked TEXT NOT NULL,
    body TEXT NOT NULL,
    as_of REAL NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0,
    changed_at REAL NOT NULL
) STRICT;
