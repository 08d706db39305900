# The system of one agent's container: what the host builds when a configuration was merged.
#
# The host owns this expression; the agent's repository supplies one module, `agent.nix`, and nothing around it: no flake,
# no inputs, no nixpkgs of its own. A module decides about the inside of the container alone. What is outside of it (mounts,
# network, users, limits) is written by the host, from fields that it checks (`hive containers serve`).
{
  # The agent's name; the container is called h-NAME.
  name,
  # The agent's module, a path; null for an agent that brings none.
  module ? null,
  # Which nixpkgs: the host's.
  nixpkgs,
  # The source of the harness, the folder `hive/agent`.
  harness ? ../hive/agent,
}:
let
  evaluated = import "${toString nixpkgs}/nixos/lib/eval-config.nix" {
    # No fallback to the machine that evaluates: the module below says what the system is for.
    system = null;
    specialArgs = { inherit harness; };
    modules = [
      ./agent-base.nix
      {
        networking.hostName = "h-${name}";
        nixpkgs.hostPlatform = builtins.currentSystem;
      }
    ] ++ (if module == null then [ ] else [ module ]);
  };
in
evaluated.config.system.build.toplevel
