# The options of NixOS that our modules define, without their meaning.
{ lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  tree = mkOption { type = types.attrsOf types.anything; default = { }; };
  list = mkOption { type = types.listOf types.raw; default = [ ]; };
in
{
  options = {
    assertions = list;
    warnings = list;
    boot = tree;
    containers = tree;
    environment.etc = tree;
    environment.systemPackages = list;
    networking = tree;
    nix.package = mkOption { type = types.package; default = pkgs.nix; };
    nix.settings.allowed-users = list;
    nixpkgs = tree;
    services.redis.servers = mkOption {
      type = types.attrsOf (types.submodule {
        options = {
          enable = mkOption { type = types.bool; default = false; };
          port = mkOption { type = types.port; default = 6379; };
          save = list;
          unixSocket = mkOption { type = types.str; default = "/run/redis-forgehive/redis.sock"; };
        };
      });
      default = { };
    };
    system.stateVersion = mkOption { type = types.str; default = "25.05"; };
    systemd.services = tree;
    systemd.sockets = tree;
    systemd.tmpfiles.rules = list;
    users.users = tree;
    users.groups = tree;
    virtualisation = tree;
  };
}
