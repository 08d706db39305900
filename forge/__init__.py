"""Code forges in one language: nouns, events and protocols. Imports no other package of the project."""
