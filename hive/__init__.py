"""The hive: the only package that acts."""
