"""How much honey is in each hive."""
