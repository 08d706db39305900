# What systemd takes away from the processes of the hive; each exception says why it is one.
rec {
  # For a process that needs files, sockets and its own state directory, and nothing else of this machine.
  strict = {
    AmbientCapabilities = "";
    CapabilityBoundingSet = "";
    DevicePolicy = "closed";
    KeyringMode = "private";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateMounts = true;
    PrivateTmp = true;
    PrivateUsers = true;
    ProcSubset = "pid";
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    RestrictAddressFamilies = [ "AF_UNIX" ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [ "@system-service" "~@privileged" "~@resources" ];
    UMask = "0077";
  };

  network = [ "AF_UNIX" "AF_INET" "AF_INET6" ];

  # For a process that makes containers without being root: bubblewrap in user namespaces. Without each of these
  # no container starts, or a limit of it does not hold, or what an agent may do in it depends on the service manager.
  namespaces = {
    # It makes namespaces of every kind.
    RestrictNamespaces = false;
    # bubblewrap reads /proc/sys/kernel/overflowuid first of all.
    ProcSubset = "all";
    # A kernel refuses a new /proc to whoever sees one of which parts are covered (mount_too_revealing, fs/namespace.c).
    ProtectKernelLogs = false;
    ProtectKernelTunables = false;
    # It counts, limits and ends the processes of containers, and must not miss one that hides from its peers.
    ProtectProc = "default";
    # A container has a host name of its own, and this forbids sethostname to all that run below.
    ProtectHostname = false;
    # The limits of containers are cgroups below this unit's own (Delegate=), which must be writable.
    ProtectControlGroups = false;
    # Agents run compilers, debuggers and programs that write machine code; what forbids that here forbids it to them.
    MemoryDenyWriteExecute = false;
    # `git init --shared`, `install -m 2755` and archives set such bits; in a container nobody gains by them.
    RestrictSUIDSGID = false;
    # bubblewrap mounts, and sets up the loopback of a container by netlink; no list of calls suits all programs of agents.
    RestrictAddressFamilies = network ++ [ "AF_NETLINK" ];
    SystemCallFilter = [ "~@clock" "~@cpu-emulation" "~@module" "~@obsolete" "~@raw-io" "~@reboot" "~@swap" ];
  };
}
