"""Code forges in one language: nouns, nudges and protocols. Imports nobody."""
