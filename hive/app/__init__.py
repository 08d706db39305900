"""The composition root: every wire of the house, one module for each process."""
