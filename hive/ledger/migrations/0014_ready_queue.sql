-- Issues that wait for their agent, and those that were given to it and have no run yet. `labelled` is whether the label of the
-- queue was set: an issue that has lost it since then was taken out by a person.
CREATE TABLE ready_queue (
    ref TEXT PRIMARY KEY,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'claimed')),
    labelled INTEGER NOT NULL DEFAULT 0,
    queued_at REAL NOT NULL,
    claimed_at REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX queued_for ON ready_queue (agent, state, queued_at);
