# What several files of the module have to agree on.
{
  user = "hive";
  socket = "/run/forgehive/containers.sock";
  etc = "forgehive";
  gcroots = "/nix/var/nix/gcroots/hive";

  # The sandboxes of which docs/operate.md says that root runs the hive.
  rootful = [ "nspawn" "podman" ];
}
