# services.forgehive.forge: a private Forgejo for the hive, in a NixOS container of its own.
{ config, lib, pkgs, ... }:
let
  inherit (lib) literalExpression mkDefault mkEnableOption mkIf mkOption mkOverride types;
  hive = config.services.forgehive;
  cfg = hive.forge;

  # Ten letters: a container's name has eleven at the most. Without `h-`, which the names of agents' containers begin with.
  container = "hive-forge";
  state = "/var/lib/forgejo";
in
{
  options.services.forgehive.forge = {
    enable = mkEnableOption "a private Forgejo for the hive, in a container of its own";

    package = mkOption {
      type = types.package;
      default = pkgs.forgejo-lts;
      defaultText = literalExpression "pkgs.forgejo-lts";
      description = "The Forgejo: 10 or later.";
    };

    name = mkOption {
      type = types.str;
      default = "forgejo";
      description = "Its name in `settings.forges`, to which teams refer.";
    };

    hostAddress = mkOption {
      type = types.str;
      default = "10.77.0.1";
      description = "Address of this machine on the link to the container. The hive receives webhooks there.";
    };

    address = mkOption {
      type = types.str;
      default = "10.77.0.2";
      description = "Address of the container on that link: Forgejo serves HTTP on port 3000 of it, and git over SSH on port 2222.";
    };

    url = mkOption {
      type = types.str;
      default = "http://${cfg.address}:3000";
      defaultText = literalExpression ''"http://''${config.services.forgehive.forge.address}:3000"'';
      description = "Address by which people and the hive reach it; that of a reverse proxy, if there is one.";
    };
  };

  config = mkIf (hive.enable && cfg.enable) {
    services.forgehive.settings = {
      forges.${cfg.name} = {
        url = mkDefault cfg.url;
        kind = mkDefault "forgejo";
      };
      # Before the module's own default, after what an operator sets.
      web.host = mkOverride 900 cfg.hostAddress;
    };

    # Its deliveries come from the container, and nothing else does.
    networking.firewall.interfaces."ve-${container}".allowedTCPPorts = [ hive.settings.web.port ];

    containers.${container} = {
      autoStart = true;
      privateNetwork = true;
      inherit (cfg) hostAddress;
      localAddress = cfg.address;
      # Without users of its own, root of the container is root of this machine.
      privateUsers = "pick";
      # The unit binds the socket of this machine's Nix daemon into each container; this one needs none.
      extraFlags = [ "--tmpfs=/nix/var/nix/daemon-socket:ro" ];

      config = {
        system.stateVersion = config.system.stateVersion;
        networking.firewall.allowedTCPPorts = [ 3000 2222 ];
        environment.systemPackages = [ cfg.package ];

        services.forgejo = {
          enable = true;
          inherit (cfg) package;
          stateDir = state;
          database.type = "sqlite3";
          settings = {
            server = {
              ROOT_URL = "${cfg.url}/";
              HTTP_ADDR = "0.0.0.0";
              HTTP_PORT = 3000;
              START_SSH_SERVER = true;
              SSH_LISTEN_PORT = 2222;
              SSH_PORT = 2222;
              OFFLINE_MODE = true;
            };
            service.DISABLE_REGISTRATION = true;
            repository.DEFAULT_PRIVATE = "private";
            # By itself Forgejo calls no address of a private network.
            webhook.ALLOWED_HOST_LIST = "${cfg.hostAddress}/32";
            openid = { ENABLE_OPENID_SIGNIN = false; ENABLE_OPENID_SIGNUP = false; };
            actions.ENABLED = false;
            federation.ENABLED = false;
            "cron.update_checker".ENABLED = false;
            # It looks for this directory before it looks whether it is to use it, and the default is in the store.
            F3 = { ENABLED = false; PATH = "${state}/data/f3"; };
          };
        };
      };
    };
  };
}
