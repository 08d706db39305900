-- What agents spend. Amounts are billionths of a US dollar, days and months those of UTC.

-- One row for each answer of a model: who asked for what, the tokens by class, and what they cost at the prices of that
-- time. `hold` is the reservation that it settled; with `is_estimate` the provider did not report all of it.
CREATE TABLE bookings (
    id INTEGER PRIMARY KEY,
    hold INTEGER UNIQUE,
    at REAL NOT NULL,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    ref TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs,
    turn INTEGER NOT NULL,
    model TEXT NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    is_estimate INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX bookings_of_run ON bookings (run, id);
CREATE INDEX bookings_by_age ON bookings (at);

-- What requests in flight may cost at most. A hold whose `owner` (a host process) is gone, or whose time is over, is
-- booked as it stands. Ids are never used twice: a booking names its hold.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    at REAL NOT NULL,
    expires_at REAL NOT NULL,
    team TEXT NOT NULL,
    agent TEXT NOT NULL,
    ref TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs,
    turn INTEGER NOT NULL,
    model TEXT NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    amount INTEGER NOT NULL
) STRICT;

-- The sums of the bookings by scope (`run`, `issue`, `agent`, `repo`, `team`) and period (empty, a day, a month), changed
-- in one transaction with them. `cap` is the one that counted last (NULL: none), `raised` what operators added to it,
-- `warned` the percentage of the last warning.
CREATE TABLE spending (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    spent INTEGER NOT NULL DEFAULT 0,
    raised INTEGER NOT NULL DEFAULT 0,
    cap INTEGER,
    warned INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, name, period)
) STRICT;

-- Turns that a cap has stopped: until a time, or until an operator raises it (0).
CREATE TABLE budget_stops (
    id INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES runs,
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    cap INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    until REAL NOT NULL,
    at REAL NOT NULL
) STRICT;
CREATE INDEX budget_stops_of_run ON budget_stops (run);
