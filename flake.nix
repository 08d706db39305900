# The hive on NixOS: docs/nixos.md. Each output is one file below nix/.
{
  description = "A hive of agents that lives on your forge: file an issue to assign work, merge a pull request to approve it.";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { nixpkgs, ... }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      perSystem = made: nixpkgs.lib.genAttrs systems (system: made nixpkgs.legacyPackages.${system});
    in
    {
      overlays.default = import ./nix/overlay.nix;
      packages = perSystem (pkgs: { default = pkgs.callPackage ./nix/package.nix { }; });
      devShells = perSystem (pkgs: { default = import ./nix/shell.nix { inherit pkgs; }; });
      formatter = perSystem (pkgs: pkgs.nixfmt);
      checks = perSystem (pkgs: import ./nix/checks.nix { inherit pkgs; inherit (nixpkgs.lib) nixosSystem; });

      # Nix 2.8 takes no path for a module in `nix flake check`; and a set that imports one may be imported twice.
      nixosModules.default.imports = [ ./nix/module.nix ];
      nixosModules.forge.imports = [ ./nix/forge.nix ];
    };
}
