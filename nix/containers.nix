# Agents as NixOS containers: what the host has to offer, and the helper that is root so that the hive is not.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkIf;
  cfg = config.services.forgehive;
  names = import ./names.nix;
  hardening = import ./hardening.nix;

  nix = config.nix.package;
  version = nix.version or "0";
  # The first release of each line that refuses the files by which CVE-2026-39860 writes as root.
  fixed = {
    "2.28" = "2.28.6";
    "2.29" = "2.29.3";
    "2.30" = "2.30.4";
    "2.31" = "2.31.4";
    "2.32" = "2.32.7";
    "2.33" = "2.33.4";
    "2.34" = "2.34.5";
  };
  line = builtins.concatStringsSep "." (lib.take 2 (builtins.splitVersion version));
  # Another implementation counts its versions on its own; nothing is known of it here.
  isNix = lib.hasPrefix "nix-" "${lib.getName nix}-";
  isFixed = isNix && lib.versionAtLeast version (fixed.${line} or "2.35");

  # Both files lie beside each other in the store: one imports the other.
  expressions = builtins.path { path = ./.; name = "forgehive-nix"; };
  file = name: { source = "${expressions}/${name}"; };
in
{
  config = mkIf (cfg.enable && cfg.containers.enable) {
    assertions = [
      {
        assertion = isFixed || cfg.containers.acceptVulnerableNix;
        message = "services.forgehive.containers.enable: nix.package is ${lib.getName nix} ${version}, which is not known to be fixed for CVE-2026-39860: "
          + "those who may build can write files as root. Take a fixed one, or set services.forgehive.containers.acceptVulnerableNix.";
      }
      {
        assertion = lib.versionAtLeast config.system.stateVersion "22.05";
        message = "services.forgehive.containers.enable: with a system.stateVersion before 22.05 NixOS keeps containers in other directories.";
      }
    ];

    boot.enableContainers = true;

    # Nobody else may build: containers have no socket of the daemon, and other users of this machine need none.
    nix.settings.allowed-users = [ "root" "@wheel" names.user ];

    environment.etc = {
      "${names.etc}/nixpkgs".source = cfg.containers.nixpkgs;
      "${names.etc}/agent-system.nix" = mkIf (builtins.pathExists ./agent-system.nix) (file "agent-system.nix");
    };

    systemd.tmpfiles.rules = [
      "d /etc/nixos-containers 0755 root root -"
      "d /var/lib/nixos-containers 0700 root root -"
      # What the hive built, and nothing else, may be activated.
      "d ${names.gcroots} 0755 ${names.user} root -"
      # They are there when the helper starts, which may write below the second one only.
      "d ${cfg.settings.state} 0700 ${names.user} ${names.user} -"
      "d ${cfg.settings.state}/agents 0700 ${names.user} ${names.user} -"
    ];

    systemd.sockets.forgehive-containers = {
      description = "Acts on the containers of agents, for the hive alone";
      wantedBy = [ "sockets.target" ];
      listenStreams = [ names.socket ];
      socketConfig = {
        SocketUser = "root";
        SocketGroup = names.user;
        SocketMode = "0660";
        DirectoryMode = "0755";
        RemoveOnStop = true;
      };
    };

    systemd.services.forgehive-containers = {
      description = "Acts on the containers of the hive's agents";
      requires = [ "forgehive-containers.socket" ];
      after = [ "forgehive-containers.socket" "nix-daemon.socket" ];
      path = [ nix pkgs.nixos-container pkgs.systemd pkgs.util-linux ];
      environment.HIVE_LOG = cfg.logLevel;
      # Each act may be repeated, and the hive repeats one that was interrupted.
      restartIfChanged = true;
      stopIfChanged = false;
      startLimitIntervalSec = 0;
      serviceConfig = hardening.strict // {
        Type = "exec";
        ExecStart = "${cfg.package}/bin/hive containers serve --agents ${cfg.settings.state}/agents --user ${names.user}";
        # Keys of harnesses, for root alone.
        RuntimeDirectory = "hive-containers";
        RuntimeDirectoryMode = "0700";
        RuntimeDirectoryPreserve = true;
        Restart = "on-failure";
        RestartSec = "2s";
        TimeoutStopSec = "60s";
        # It is root: it sets profiles, writes the files of containers, and asks systemd and machined, which do the rest.
        # What it can never need is gone: the network, homes, devices, the kernel's settings, other systems' files.
        PrivateNetwork = true;
        ReadWritePaths = [ "/etc/nixos-containers" "/var/lib/nixos-containers" "/nix/var/nix" "/run/systemd/system" "${cfg.settings.state}/agents" ];
        # Root of this machine: its files belong to it, and `nsenter` and `systemd-run -M` enter containers.
        CapabilityBoundingSet = [ "CAP_CHOWN" "CAP_DAC_OVERRIDE" "CAP_FOWNER" "CAP_KILL" "CAP_SYS_ADMIN" "CAP_SYS_CHROOT" "CAP_SYS_PTRACE" ];
        PrivateUsers = false;
        # It looks at the processes of containers, and enters their namespaces.
        ProcSubset = "all";
        ProtectProc = "default";
        RestrictNamespaces = false;
        SystemCallFilter = [ "@system-service" "@mount" "setns" "~@clock" "~@module" "~@raw-io" "~@reboot" "~@swap" ];
      };
    };
  };
}
