# What is in every agent's container: the harness, its two users, and nothing that listens.
#
# The host mounts three directories: /agent/config (read-only: what was built for the agent), /agent/state (what survives) and
# /run/hive (the two sockets that are the only way out; there is no network).
{ config, harness, lib, options, pkgs, ... }:
let
  # The harness needs nothing but Python. It lies where it expects itself in a container.
  inside = "/opt/hive";
  python = "${pkgs.python3}/bin/python3";

  # Two credentials come from the host, as an argument or a variable could be read by the commands of the agent:
  # `hive-key` is what the harness reads from its standard input, `hive-entry` holds its limits and its whole environment,
  # each word ended by a zero byte. `hive.agent.enter` gives up root for the user 1000, filters system calls, and becomes the
  # harness; commands are the user 1001.
  #
  # What survives belongs to this container's users as soon as the host has seen which those are, which is after its start.
  start = pkgs.writeShellScript "hive-agent" ''
    for _ in {1..600}; do
      [ "$(${pkgs.coreutils}/bin/stat -c %u /agent/state)" = 1000 ] && break
      ${pkgs.coreutils}/bin/sleep 0.1
    done
    cd /agent/state || exit 1
    mapfile -d "" -t words < "$CREDENTIALS_DIRECTORY/hive-entry"
    exec ${python} -I -S -c 'import sys; sys.path.insert(0, "${inside}"); from hive.agent.enter import main; main()' \
      mapped 1000 "''${words[@]}" -- \
      ${python} -S -P -m hive.agent < "$CREDENTIALS_DIRECTORY/hive-key"
  '';
in
{
  # The option has another name since NixOS 25.11.
  boot = if options.boot ? isNspawnContainer then { isNspawnContainer = true; } else { isContainer = true; };

  # The container has no interface but its loopback.
  networking.useDHCP = false;
  networking.firewall.enable = false;

  # No nix in the container: whoever reaches the daemon's socket builds on the host. The host also covers the socket.
  nix.enable = false;

  # Nobody logs in: operators come by `hive enter`.
  users.mutableUsers = false;
  users.allowNoPasswordLogin = true;
  users.users.hive-agent = { isNormalUser = false; isSystemUser = true; uid = 1000; group = "hive-agent"; home = "/agent/state"; };
  users.users.hive-tools = { isNormalUser = false; isSystemUser = true; uid = 1001; group = "hive-tools"; home = "/agent/state/home"; };
  users.groups.hive-agent.gid = 1000;
  users.groups.hive-tools.gid = 1001;

  systemd.services.hive-agent = {
    description = "harness of ${config.networking.hostName}";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      ExecStart = start;
      BindReadOnlyPaths = [ "${harness}:${inside}/hive/agent" ];
      LoadCredential = [ "hive-key" "hive-entry" ];
      # The harness covers /proc, /sys and /dev for itself alone.
      PrivateMounts = true;
      Restart = "always";
      RestartSec = 2;
      # A turn ends after its step; then everything in the unit does.
      KillMode = "mixed";
      TimeoutStopSec = 30;
    };
    # A reload of the container does not end a turn: whoever reloads restarts the harness when it is idle.
    restartIfChanged = false;
  };

  # As old as this file: it keeps no state that an upgrade could misread.
  system.stateVersion = lib.mkDefault "25.05";
}
