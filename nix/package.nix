# The hive as a package: its Python, and the programs that it starts on its PATH.
{ lib, python3Packages, fetchPypi, callPackage, git, bubblewrap, ast-grep, hadolint, ruff, shellcheck, yamllint, zizmor }:
let
  project = (builtins.fromTOML (builtins.readFile ../pyproject.toml)).project;
  pypi = callPackage ./pypi.nix { inherit python3Packages fetchPypi; };
  root = toString ../.;
in
python3Packages.buildPythonApplication {
  pname = project.name;
  inherit (project) version;
  pyproject = true;

  # What the wheel is made of, so that a change of a document builds nothing.
  src = builtins.path {
    path = ../.;
    name = "forgehive-source";
    filter = path: _: lib.any (name: path == "${root}/${name}" || lib.hasPrefix "${root}/${name}/" path)
      [ "bots" "forge" "hive" "pyproject.toml" "README.md" "LICENSE" ];
  };

  build-system = [ python3Packages.hatchling ];

  dependencies = [ pypi.huey pypi.httpx2 ]
    ++ map (name: python3Packages.${name}) [
    "annotated-types" "click" "flask" "httptools" "isal" "markdown-it-py" "pydantic" "pyyaml" "requests" "waitress"
    "gitpython" "redis" # the extras `git` and `redis`
    "nh3" "pygments" # `hive demo`
    "detect-secrets" # the extra `review`, with the programs below
  ];

  # nixpkgs may be a minor version behind a lower bound; checks.nix tries what comes of it.
  pythonRelaxDeps = true;

  makeWrapperArgs = [ "--suffix" "PATH" ":" (lib.makeBinPath [ git bubblewrap ast-grep hadolint ruff shellcheck yamllint zizmor ]) ];

  # The tests need a forge on loopback and containers; CI runs them.
  doCheck = false;
  pythonImportsCheck = [ "bots" "forge" "hive.cli" "hive.app.host" ];

  meta = {
    inherit (project) description;
    license = lib.licenses.asl20;
    mainProgram = "hive";
    platforms = lib.platforms.linux;
  };
}
