-- What a run was woken by, empty for an assignment; and what goes first: the highest priority.
ALTER TABLE runs ADD COLUMN wake TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
