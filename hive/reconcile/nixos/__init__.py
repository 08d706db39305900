"""Containers of NixOS: what root does for a hive that is not root, by fixed verbs over a socket.

`requests` says what may be asked, `machines` does it, `privileged` listens, `client` asks, `attach` is a container as a process.
"""
