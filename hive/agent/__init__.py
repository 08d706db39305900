"""The harness: what an agent's container runs. Standard library only, no keys, no network but two unix sockets."""
