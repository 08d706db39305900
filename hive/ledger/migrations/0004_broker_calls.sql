-- Calls that a run made on its broker and that are limited by number; the same `key` again is the same call.
CREATE TABLE broker_calls (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    at REAL NOT NULL,
    UNIQUE (run, name, key)
) STRICT;
