# services.forgehive: the whole substrate of a hive. It brings the user, the units, the configuration and the command.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkDefault mkIf;
  cfg = config.services.forgehive;
  names = import ./names.nix;
  generated = import ./generated.nix { inherit config lib pkgs; };
  checks = import ./assertions.nix { inherit config lib; };
  isRootful = builtins.elem cfg.settings.sandbox names.rootful;
in
{
  imports = [ ./options.nix ./units.nix ./containers.nix ];

  config = mkIf cfg.enable {
    inherit (checks) assertions warnings;

    services.forgehive.settings = {
      state = mkDefault "/var/lib/hive";
      web.host = mkDefault "127.0.0.1";
      web.port = mkDefault 8077;
      packages_path = mkDefault [ "${generated.programs}/bin" ];
      queue = mkIf cfg.redis.enable "unix://${config.services.redis.servers.forgehive.unixSocket}";
    };

    users.users = mkIf (!isRootful) {
      ${names.user} = {
        isSystemUser = true;
        group = names.user;
        home = cfg.settings.state;
        description = "The hive of agents";
      };
    };
    users.groups = mkIf (!isRootful) { ${names.user} = { }; };

    environment.systemPackages = [ generated.command ];
    environment.etc."${names.etc}/hive.yaml".source = "${generated.configuration}/hive.yaml";

    services.redis.servers = mkIf cfg.redis.enable {
      forgehive = {
        enable = true;
        port = 0;
        save = [ ];
      };
    };
  };
}
