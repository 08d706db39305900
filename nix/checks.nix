# `nix flake check`: the package, the module's configuration read by the hive itself, and a machine that runs it.
{ pkgs, nixosSystem }:
let
  example = nixosSystem {
    modules = [
      ./module.nix
      ./forge.nix
      ./tests/example.nix
      {
        nixpkgs.hostPlatform = pkgs.stdenv.hostPlatform.system;
        nixpkgs.overlays = [ (import ./overlay.nix) ];
        boot.isContainer = true;
        system.stateVersion = "25.05";
      }
    ];
  };
in
rec {
  package = pkgs.callPackage ./package.nix { };
  # It starts, and reads its own example.
  program = pkgs.runCommand "forgehive-starts" { } ''
    ${package}/bin/hive --version
    ${package}/bin/hive check ${../config/hive.yaml} > $out
  '';
  # Making hive.yaml lets `hive check` read it.
  configuration = pkgs.runCommand "forgehive-example" { } "cp ${example.config.environment.etc."forgehive/hive.yaml".source} $out";
  # Needs KVM.
  vm = pkgs.testers.runNixOSTest ./tests/vm.nix;
}
