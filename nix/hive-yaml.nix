# Writes `services.forgehive.settings` as the text of hive.yaml: keys in JSON's quotes, which are YAML's too.
{ lib, groups }:
let
  inherit (builtins) attrNames concatStringsSep isAttrs isList mapAttrs removeAttrs toJSON;

  set = lib.filterAttrs (_: value: value != null);
  clean = value: if isAttrs value then mapAttrs (_: clean) (set value) else if isList value then map clean value else value;

  entry = name: value: { inherit name value; };
  entries = mapping: map (name: entry name mapping.${name}) (attrNames mapping);

  # `[ { name = "app"; … } … ]` as entries in this order; an attribute set has at most one, or an assertion fails.
  lanes = found: if isList found then map (lane: entry lane.name (removeAttrs lane [ "name" ])) found else entries found;
  kinds = found: if isList found then map (kind: entry kind.name kind.words) found else entries found;

  team = found: found // { lanes.__inOrder = lanes found.lanes; }
    // lib.optionalAttrs (found ? kinds) { kinds.__inOrder = kinds found.kinds; };

  indented = depth: concatStringsSep "" (builtins.genList (_: "  ") depth);

  block = depth: found:
    let line = { name, value }: "${indented depth}${toJSON name}:${below (depth + 1) value}\n";
    in concatStringsSep "" (map line found);

  below = depth: value:
    let found = value.__inOrder or (entries value); in
    if !isAttrs value then " ${toJSON value}" else if found == [ ] then " {}" else "\n${lib.removeSuffix "\n" (block depth found)}";

  # A group of which nothing is set is left out. A name without keys stays: `prices: {home/qwen: {}}` says something.
  said = settings: lib.filterAttrs (name: value: !(builtins.elem name groups && value == { })) (clean settings);
in
settings:
let all = said settings; in
"# Written by services.forgehive.settings of NixOS: change it there.\n"
+ block 0 (entries (all // { teams = mapAttrs (_: team) all.teams; }))
