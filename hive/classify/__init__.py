"""Says what an issue is, from what was learned: of its own repository, or of issues in general. No numpy, no network."""
