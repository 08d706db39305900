"""The performance claims, each beside a peer or a limit, measured in one run by `make bench`."""
