# A machine with a private Forgejo and a hive: from nothing to a roster on the forge. `pkgs.testers.runNixOSTest`, with KVM.
_:
{
  name = "forgehive";

  nodes.machine = { pkgs, ... }: {
    imports = [ ../module.nix ../forge.nix ./example.nix ];
    virtualisation.memorySize = 3072;
    virtualisation.diskSize = 4096;
    environment.systemPackages = [ pkgs.curl ];
    systemd.tmpfiles.rules = [
      "d /var/lib/keys 0700 root root -"
      "f /var/lib/keys/anthropic 0600 root root - not-a-key"
    ];
  };

  testScript = ''
    machine.wait_for_unit("container@hive-forge.service")
    machine.wait_for_open_port(3000, "10.77.0.2")
    machine.wait_for_unit("forgehive-web.socket")

    admin = "nixos-container run hive-forge -- runuser -u forgejo -- forgejo --work-path /var/lib/forgejo admin user create"
    machine.succeed(f"{admin} --username root-admin --password 'a long word' --email root@forge.invalid --admin --must-change-password=false")
    machine.succeed(f"{admin} --username mara --password 'another word' --email mara@forge.invalid --must-change-password=false")

    with subtest("the receiver answers from a network of its own"):
        machine.wait_until_succeeds("curl -sf http://10.77.0.1:8077/livez")

    with subtest("hive init sets the forge up, and a second run changes nothing"):
        machine.succeed("HIVE_ADMIN_PASSWORD='a long word' hive init --admin root-admin --create-missing --engine mechanic")
        said = machine.succeed("HIVE_ADMIN_PASSWORD='a long word' hive init --admin root-admin --engine mechanic")
        assert "0 changes" in said, said

    with subtest("every loop of every process makes progress"):
        machine.succeed("systemctl restart forgehive-work forgehive-host")
        machine.wait_until_succeeds("curl -sf http://10.77.0.1:8077/healthz", timeout=300)

    with subtest("nobody else reads what the hive has"):
        machine.fail("runuser -u nobody -- ls /var/lib/hive")
        machine.succeed("test $(stat -c %a:%U /var/lib/hive) = 700:hive")

    with subtest("a credential is for the host alone"):
        machine.succeed("systemctl show -p LoadCredential forgehive-host | grep anthropic")
        machine.fail("systemctl show -p LoadCredential forgehive-work | grep anthropic")

    with subtest("programs of agents are kept from the garbage collector"):
        machine.succeed("systemctl restart forgehive-host && ls /nix/var/nix/gcroots/forgehive | grep -q bash")
  '';
}
