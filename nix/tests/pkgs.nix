# A nixpkgs of names: a package is a path in the store that does not exist, and a file is its text.
{ nixVersion ? "2.34.5", nixName ? "nix" }:
let
  store = name: "/nix/store/00000000000000000000000000000000-${name}";
  package = name: { type = "derivation"; inherit name; outPath = store name; };
  packages = builtins.listToAttrs (map (name: { inherit name; value = package name; }) [
    "ast-grep" "bash" "bubblewrap" "coreutils" "crun" "diffutils" "findutils" "forgehive" "forgejo-lts" "gawk" "git" "gnugrep" "gnused"
    "gnutar" "gzip" "hadolint" "hello" "nixos-container" "podman" "ruff" "shellcheck" "systemd" "util-linux" "yamllint" "zizmor"
  ]);
in
packages // {
  path = store "nixpkgs";
  nix = package nixName // { pname = nixName; version = nixVersion; };
  buildEnv = { name, paths, ... }: package name // { inherit paths; };
  writeText = name: text: package name // { inherit text; };
  writeShellScript = name: text: package name // { inherit text; };
  writeShellScriptBin = name: text: package name // { inherit text; };
  runCommand = name: _: text: package name // { inherit text; };
}
