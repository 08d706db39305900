# The options of `services.forgehive.settings`, made from the JSON Schema that `make reference` writes from the code.
# A key that the hive does not know, or a value of another type, is refused by its option's path while NixOS evaluates.
{ lib }:
let
  inherit (lib) mkOption types;
  schema = builtins.fromJSON (builtins.readFile ../config/hive.schema.json);

  definition = reference: schema."$defs".${baseNameOf reference};

  # Mappings of hive.yaml whose order counts: the first lane, and the last kind, take what fits no other.
  # Nix sorts the names of an attribute set, so more than one entry is written as a list of sets with a `name`.
  ordered = {
    lanes = submoduleOf (definition "LaneSettings") { };
    kinds = types.submodule {
      options = {
        name = named "kind";
        words = mkOption { type = types.listOf types.str; default = [ ]; description = "The words that tell it."; };
      };
    };
  };
  named = what: mkOption { type = types.str; description = "The name of the ${what}."; };

  submoduleOf = found: more: types.submodule { options = optionsOf found // more; };

  typeOf = key: entry:
    if entry ? "$ref" then submoduleOf (definition entry."$ref") { }
    else if entry ? anyOf then types.oneOf (map (typeOf key) entry.anyOf)
    else if entry ? const then types.enum [ entry.const ]
    else if entry ? enum then types.enum entry.enum
    else if entry.type == "integer" then types.ints.between entry.minimum entry.maximum
    else if entry.type == "number" then types.numbers.between entry.minimum entry.maximum
    else if entry.type == "boolean" then types.bool
    else if entry.type == "array" then types.listOf (typeOf key entry.items)
    else if entry.type == "object" then mappingOf key (typeOf key entry.additionalProperties)
    else types.str;

  mappingOf = key: inner:
    if key == "lanes" then
      types.either (types.attrsOf inner) (types.listOf (submoduleOf (definition "LaneSettings") { name = named "lane"; }))
    else if ordered ? ${key} then types.either (types.attrsOf inner) (types.listOf ordered.${key})
    else types.attrsOf inner;

  # What is null is left out of hive.yaml, so that the default is the hive's own, of whatever version runs.
  optionsOf = found: builtins.mapAttrs
    (key: entry:
      if entry ? "$ref" then optionsOf (definition entry."$ref")
      else if builtins.elem key (found.required or [ ]) then
        mkOption { type = typeOf key entry; inherit (entry) description; }
      else mkOption {
        type = types.nullOr (typeOf key entry);
        default = null;
        defaultText = builtins.toJSON entry.default;
        inherit (entry) description;
      })
    found.properties;
in
{
  options = optionsOf schema;

  # The keys of hive.yaml below which there are keys, and no names.
  groups = builtins.filter (key: schema.properties.${key} ? "$ref") (builtins.attrNames schema.properties);
}
