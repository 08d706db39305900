# The options that we declare, as data: what scripts/nixos_reference.py makes the page of.
let
  lib = import ./minilib.nix;
  pkgs = import ./pkgs.nix { };
  ours = [ ../module.nix ../forge.nix ];
  tree = (lib.evalModules { modules = [ ./stubs.nix ] ++ ours; specialArgs = { inherit pkgs; }; }).options;

  shown = value:
    if builtins.isAttrs value && (value._type or "") == "literalExpression" then value.text else builtins.toJSON value;

  row = name: option: {
    inherit name;
    inherit (option) description;
    type = option.type.description;
    default = if option ? defaultText then shown option.defaultText else if option ? default then shown option.default else "";
    example = if option ? example then shown option.example else "";
  };

  rows = path: options: builtins.concatLists (lib.mapAttrsToList
    (name: option:
      let here = "${path}.${name}"; in if lib.isOption option then [ (row here option) ] else rows here option)
    options);
in
rows "services.forgehive" tree.services.forgehive
