# The systemd units of the hive: one for each process, and the socket at which deliveries arrive.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkIf optional optionals;
  cfg = config.services.forgehive;
  names = import ./names.nix;
  hardening = import ./hardening.nix;
  generated = import ./generated.nix { inherit config lib pkgs; };

  isRootful = builtins.elem cfg.settings.sandbox names.rootful;
  user = if isRootful then "root" else names.user;
  directory = lib.removePrefix "/var/lib/" cfg.settings.state;
  redis = "redis-forgehive";

  process = name: { description, hardened, extra ? { }, unit ? { } }: lib.recursiveUpdate {
    inherit description;
    wantedBy = [ "multi-user.target" ];
    after = [ "network-online.target" "nss-lookup.target" "time-sync.target" ] ++ optional cfg.redis.enable "${redis}.service";
    wants = [ "network-online.target" ] ++ optional cfg.redis.enable "${redis}.service";
    unitConfig.RequiresMountsFor = [ cfg.settings.state ];
    # A hive that cannot start yet (no `hive init`, no forge) waits for that; it never gives up.
    startLimitIntervalSec = 0;
    # The processes of one ledger have one version: a new one changes it, and the old one would refuse it.
    # They are restarted after the switch, not stopped before it: what they interrupt is resumed.
    restartIfChanged = true;
    stopIfChanged = false;
    environment = {
      HIVE_LOG = cfg.logLevel;
      PYTHONDONTWRITEBYTECODE = "1";
    };
    serviceConfig = hardened // {
      Type = "exec";
      ExecStart = "${cfg.package}/bin/hive ${name} ${generated.configuration}/hive.yaml";
      User = user;
      Group = user;
      # Not DynamicUser: three units and the operator's own commands share one state directory and one user.
      StateDirectory = directory;
      StateDirectoryMode = "0700";
      WorkingDirectory = cfg.settings.state;
      SupplementaryGroups = optional cfg.redis.enable redis;
      Restart = "always";
      RestartSec = "2s";
      RestartSteps = 6;
      RestartMaxDelaySec = "2min";
      # Its parts end within 20 seconds; a turn that is interrupted is not lost.
      TimeoutStopSec = "60s";
    } // extra // lib.optionalAttrs isRootful {
      PrivateUsers = false;
      # What root writes is given to the owner of its directory (secret_store.py, SQLite), though that is root as well.
      SystemCallFilter = hardened.SystemCallFilter ++ [ "@chown" ];
    };
  } unit;

  # uid 0 without a capability still owns what belongs to root.
  LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.credentials;
  secretsOfRoot = optionals isRootful [ "-/etc/shadow" "-/etc/ssh" "-/nix/var/nix/daemon-socket" ];

  ipv6 = lib.hasInfix ":" cfg.settings.web.host;
  address = if ipv6 then "[${cfg.settings.web.host}]" else cfg.settings.web.host;
in
{
  config = mkIf cfg.enable {
    systemd.sockets.forgehive-web = {
      description = "Deliveries to the hive";
      wantedBy = [ "sockets.target" ];
      # The socket stays while the receiver is restarted: a forge's delivery waits, and none is refused.
      listenStreams = [ "${address}:${toString cfg.settings.web.port}" ];
      # An address that comes later, as that of a container, can be listened on already.
      socketConfig = { FreeBind = true; Service = "forgehive-web.service"; };
    };

    systemd.services.forgehive-web = process "web" {
      description = "Receiver of the hive";
      hardened = hardening.strict;
      unit.requires = [ "forgehive-web.socket" ];
      extra = {
        # It calls nobody: the socket that it is handed is its only way out of a network of its own.
        PrivateNetwork = true;
        # It verifies deliveries and stores them; what agents have is not its business.
        InaccessiblePaths = map (name: "-${cfg.settings.state}/${name}") [ "agents" "mirrors" ]
          ++ secretsOfRoot;
      };
    };

    systemd.services.forgehive-work = process "work" {
      description = "Worker of the hive: bots, effects, polling";
      hardened = hardening.strict // {
        # It talks to forges.
        RestrictAddressFamilies = hardening.network;
        # The analysers of the review get limits of their own (prlimit).
        SystemCallFilter = [ "@system-service" "~@privileged" ];
        # Its analysers ask how much memory and how many processors there are (/proc/meminfo, /proc/cpuinfo).
        ProcSubset = "all";
      } // lib.optionalAttrs cfg.containers.enable hardening.namespaces; # it evaluates agents' declarations under bubblewrap
      extra = {
        InaccessiblePaths = secretsOfRoot;
      } // lib.optionalAttrs ((cfg.settings.review.model or null) != null) {
        # A model reads pull requests: it is asked from here.
        inherit LoadCredential;
      };
      unit.path = [ pkgs.git pkgs.ast-grep pkgs.hadolint pkgs.ruff pkgs.shellcheck pkgs.yamllint pkgs.zizmor ]
        ++ optionals cfg.containers.enable [ pkgs.bubblewrap config.nix.package ];
    };

    systemd.services.forgehive-host = process "host" {
      description = "Containers of the hive's agents";
      # nspawn and podman make containers as root: it keeps the capabilities and devices that they need.
      hardened = builtins.removeAttrs (hardening.strict // hardening.namespaces)
        (optionals isRootful [ "AmbientCapabilities" "CapabilityBoundingSet" "DevicePolicy" "PrivateDevices" ]);
      unit = {
        path = [ pkgs.git pkgs.bubblewrap ]
          ++ optionals isRootful [ pkgs.systemd pkgs.podman pkgs.crun ]
          ++ optionals cfg.containers.enable [ config.nix.package ];
        requires = optional cfg.containers.enable "forgehive-containers.socket";
      };
      extra = {
        inherit LoadCredential;
        ExecStartPre = [ "+${generated.keepPrograms}" ];
        Delegate = [ "cpu" "memory" "pids" ];
        # A command of an agent that takes too much memory is killed; its host, and all others, go on.
        OOMPolicy = "continue";
        # `limits.processes` counts for each container; the default of a service is less than a few of them.
        TasksMax = "infinity";
        # The host ends its containers in order; what is left after TimeoutStopSec is killed with the group.
        KillMode = "mixed";
        # Where nspawn and podman keep what they run; where it registers what it built, which the daemon writes for it.
        ReadWritePaths = optional isRootful "/run" ++ optional cfg.containers.enable names.gcroots;
      };
    };
  };
}
