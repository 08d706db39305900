"""Git on the host: bare mirrors, and what the failures of git mean."""
