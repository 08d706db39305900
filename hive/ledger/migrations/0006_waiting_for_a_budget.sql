-- `said` is the percentage of the last warning that a thread was told of.
ALTER TABLE spending ADD COLUMN said INTEGER NOT NULL DEFAULT 0;

-- Runs that are suspended, with all of their repository's work or (`repository_turns`) alone.
DROP VIEW suspended_runs;
CREATE VIEW suspended_runs AS
    SELECT runs.id AS id, suspensions.reason AS reason FROM runs JOIN suspensions ON suspensions.team = runs.team
        AND suspensions.scope IN ('repository', 'repository_turns')
        AND suspensions.name = substr(runs.ref, 1, instr(runs.ref, '#') - 1);
