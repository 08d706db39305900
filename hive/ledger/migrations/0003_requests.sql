-- What a turn is asked for in plain parts, as JSON: for engines that read no prompt. Empty for a turn that says to go on.
ALTER TABLE turns ADD COLUMN request TEXT NOT NULL DEFAULT '';
