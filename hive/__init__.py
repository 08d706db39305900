"""The house: the only package that acts."""
