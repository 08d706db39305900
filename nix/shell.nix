# What `make test` needs; `scripts/setup` makes the rest from the lock file, into .venv.
{ pkgs }:
pkgs.mkShell {
  packages = map (name: pkgs.${name}) [
    "python3" "git" "gnumake" "bubblewrap" "redis" "chromium" "podman" "nix" "nixfmt" "shellcheck"
  ];
  # Wheels of the lock file are linked against a C++ library that NixOS has at no place of its own.
  LD_LIBRARY_PATH = pkgs.lib.makeLibraryPath [ pkgs.stdenv.cc.cc.lib ];
}
