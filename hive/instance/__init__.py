"""One instance of the hive as all of its processes see it: settings, ledger, queue, secrets, bots, teams."""
