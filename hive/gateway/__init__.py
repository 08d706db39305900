"""What a container can reach: the broker of the forge, the proxy of the model, both behind the token of a run."""
