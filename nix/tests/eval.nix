# Evaluates the module for one configuration, and says what tests look at:
#   nix-instantiate --eval --strict --json --store dummy:// nix/tests/eval.nix --arg modules '[ { … } ]'
{ libPath ? ./minilib.nix
, modules
, nixVersion ? "2.34.5"
, nixName ? "nix"
, facts ? null
}:
let
  lib = import libPath;
  pkgs = import ./pkgs.nix { inherit nixVersion nixName; };
  given = if builtins.isFunction modules then modules { inherit lib pkgs; } else modules;
  evaluated = lib.evalModules {
    modules = [ ./stubs.nix ../module.nix ../forge.nix ] ++ given;
    specialArgs = { inherit pkgs; };
  };
  inherit (evaluated) config;
  cfg = config.services.forgehive;
  generated = import ../generated.nix { inherit config lib pkgs; };
  all = {
    failed = map (found: found.message) (builtins.filter (found: !found.assertion) config.assertions);
    inherit (config) warnings boot networking;
    inherit (config.systemd) services sockets;
    tmpfiles = config.systemd.tmpfiles.rules;
    users = config.users.users;
    groups = config.users.groups;
    etc = config.environment.etc;
    systemPackages = config.environment.systemPackages;
    allowedUsers = config.nix.settings.allowed-users;
    redis = config.services.redis.servers;
    inherit (cfg) settings;
    hiveYaml = generated.hiveYaml;
    configuration = generated.configuration.text;
    keepPrograms = generated.keepPrograms.text;
    programs = map (package: package.name) generated.programs.paths;
    command = generated.command.text;
    containers = config.containers;
  };
in
if facts == null then all else builtins.listToAttrs (map (name: { inherit name; value = all.${name}; }) facts)
