# pkgs.forgehive
final: _: {
  forgehive = final.callPackage ./package.nix { };
}
