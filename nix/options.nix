# The options of `services.forgehive`; docs/reference/nixos-options.md is made from this file.
{ config, lib, pkgs, ... }:
let
  inherit (lib) literalExpression mkEnableOption mkOption types;
  cfg = config.services.forgehive;
  schema = import ./schema.nix { inherit lib; };
in
{
  options.services.forgehive = {
    enable = mkEnableOption "forgehive, a hive of agents that lives on a forge";

    package = mkOption {
      type = types.package;
      default = pkgs.forgehive or (pkgs.callPackage ./package.nix { });
      defaultText = literalExpression "pkgs.forgehive";
      description = "The package of the hive.";
    };

    settings = mkOption {
      type = types.submodule { inherit (schema) options; };
      default = { };
      example = literalExpression ''
        {
          forges.forgejo.url = "https://forge.example";
          teams.acme = {
            forge = "forgejo";
            operators = [ "mara" ];
            repos = [ "app" ];
            agents = [ "iris" ];
            lanes.app.agent = "iris";
          };
        }
      '';
      description = ''
        `hive.yaml`, with the keys and types of its reference (docs/reference/configuration.md). What is not set has the hive's own default.
        Nix sorts names, and the order of `lanes` and `kinds` counts: write more than one as a list, each with a `name`.
        No secret belongs here: everybody on this machine can read it.
      '';
    };

    checkSettings = mkOption {
      type = types.bool;
      default = true;
      description = "Whether `hive check` reads `settings` while the system is built, which fails with every mistake in them.";
    };

    bots = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = literalExpression "{ greeter = ./greeter.py; }";
      description = "Bots of your own: files that lie beside `hive.yaml`, by the name of their module. `settings.bots` names them too.";
    };

    credentials = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = literalExpression ''{ anthropic = config.age.secrets.anthropic.path; }'';
      description = ''
        Files with keys of models, by the name that `settings.model.credential` or a provider's `credential` has for them.
        systemd hands them to `hive host` alone (`LoadCredential=`), so that nobody else has to be able to read them; with
        `settings.review.model` to `hive work`, too.
      '';
    };

    agentPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = literalExpression "[ pkgs.gnumake pkgs.nodejs ]";
      description = "Packages whose commands an agent may declare, beside the usual ones that every container has.";
    };

    redis.enable = mkEnableOption "a Redis of the hive's own that carries wake-ups, instead of a file" // {
      description = "Whether a Redis of the hive's own carries wake-ups, instead of a file. It is reached by a unix socket only.";
    };

    logLevel = mkOption {
      type = types.enum [ "DEBUG" "INFO" "WARNING" "ERROR" "CRITICAL" ];
      default = "INFO";
      description = "What is written to the journal.";
    };

    containers = {
      enable = mkOption {
        type = types.bool;
        default = (cfg.settings.sandbox or null) == "nixos-container";
        defaultText = literalExpression ''config.services.forgehive.settings.sandbox == "nixos-container"'';
        description = ''
          Whether agents are NixOS containers. A helper of root's then performs a few fixed acts on them, so that `hive host` needs no
          rights; only the hive may ask it, through a socket.
        '';
      };

      nixpkgs = mkOption {
        type = types.path;
        default = pkgs.path;
        defaultText = literalExpression "pkgs.path";
        description = "The nixpkgs that the systems of agents are built from. No agent can choose another one.";
      };

      acceptVulnerableNix = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether to run with a Nix that is not known to be fixed for CVE-2026-39860, by which those who may build can write files as root.
          The fixed ones are 2.28.6, 2.29.3, 2.30.4, 2.31.4, 2.32.7, 2.33.4, 2.34.5, and 2.35 and later.
        '';
      };
    };
  };
}
