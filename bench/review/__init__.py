"""How well the review sees: a corpus of small changes with their faults, and what the review says of them."""
