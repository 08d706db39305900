# The part of nixpkgs' lib that our modules use, so that they are evaluated where nixpkgs is not: nix/tests/eval.nix.
# Errors begin as those of nixpkgs do. With HIVE_NIXPKGS_LIB the tests compare it with the real one.
let
  inherit (builtins) all any attrNames concatMap concatStringsSep elem elemAt filter foldl' head isAttrs isBool isFloat
    isFunction isInt isList isPath isString length listToAttrs map mapAttrs match stringLength substring tail toJSON;

  marked = kind: value: isAttrs value && (value._type or null) == kind;
  isOption = marked "option";
  show = concatStringsSep ".";

  # A definition, as the list of the values that it gives an option, each with its priority.
  values = priority: value:
    if marked "merge" value then concatMap (values priority) value.contents
    else if marked "if" value then if value.condition then values priority value.content else [ ]
    else if marked "override" value then values value.priority value.content
    else [{ inherit priority value; }];

  # A definition of many options, as a list of plain sets: a condition goes down to each of them, and is not looked at yet.
  sets = value:
    if marked "merge" value then concatMap sets value.contents
    else if marked "if" value then map (mapAttrs (_: mkIf value.condition)) (sets value.content)
    else if marked "override" value then map (mapAttrs (_: mkOverride value.priority)) (sets value.content)
    else [ value ];

  below = name: definitions: concatMap (found: if found ? ${name} then [ found.${name} ] else [ ]) definitions;
  namesOf = definitions: attrNames (foldl' (one: other: one // other) { } definitions);

  # The values that count: those of the strongest priority.
  strongest = definitions:
    let
      found = concatMap (values 100) definitions;
      best = foldl' (least: one: if one.priority < least then one.priority else least) 9999 found;
    in
    map (one: one.value) (filter (one: one.priority == best) found);

  mergeOption = path: option: definitions:
    let found = strongest definitions; in
    if found != [ ] then merged option.type path found
    else if option ? default then option.default
    else throw "The option `${show path}' was accessed but has no value defined. Try setting the option.";

  merged = type: path: found:
    let wrong = filter (value: !(type.check value)) found; in
    if wrong != [ ] then throw "A definition for option `${show path}' is not of type `${type.description}'."
    else type.merge path found;

  one = path: found:
    if all (value: value == head found) found then head found
    else throw "The option `${show path}' has conflicting definition values.";

  newType = description: check: merge: { _type = "option-type"; inherit description check merge; };
  scalar = description: check: newType description check one;
  between = what: isNumber: least: most:
    scalar "${what} between ${toString least} and ${toString most} (both inclusive)" (value: isNumber value && value >= least && value <= most);
  isNumber = value: isInt value || isFloat value;
  isStringLike = value: isString value || isPath value || (isAttrs value && value ? outPath);

  types = rec {
    raw = newType "raw value" (_: true) one;
    str = scalar "string" isString;
    bool = scalar "boolean" isBool;
    int = scalar "signed integer" isInt;
    path = scalar "absolute path" (value: isStringLike value && substring 0 1 "${toString value}" == "/");
    package = scalar "package" (value: isAttrs value && value ? outPath);
    ints.between = between "integer" isInt;
    numbers.between = between "integer or floating point number" isNumber;
    port = ints.between 0 65535;
    enum = allowed: scalar "one of ${concatStringsSep ", " (map toJSON allowed)}" (value: elem value allowed);
    nullOr = type: newType "null or ${type.description}" (value: value == null || type.check value)
      (path: found: if all (value: value == null) found then null else merged type path found);
    either = first: second: newType "${first.description} or ${second.description}" (value: first.check value || second.check value)
      (path: found: merged (if all first.check found then first else second) path found);
    oneOf = options: foldl' either (head options) (tail options);
    listOf = type: newType "list of ${type.description}" isList
      (path: found: concatMap (list: map (value: merged type path [ value ]) (concatMap (item: strongest [ item ]) list)) found);
    attrsOf = type: newType "attribute set of ${type.description}" isAttrs (path: found:
      let definitions = concatMap sets found; in
      kept (listToAttrs (map
        (name:
          let wanted = strongest (below name definitions); in
          { inherit name; value = if wanted == [ ] then absent else merged type (path ++ [ name ]) wanted; })
        (namesOf definitions))));
    anything = newType "anything" (_: true) (path: found: if length found > 1 && all isAttrs found && !(any (value: value ? outPath) found)
      then (attrsOf anything).merge path found else if length found == 1 && isAttrs (head found) && !((head found) ? outPath)
      then (attrsOf anything).merge path found else one path found);
    submodule = module: newType "submodule" isAttrs
      (path: found: evaluate path (load { } module).options found);
  };
  absent = { _type = "absent"; };
  kept = found: listToAttrs (concatMap (name: if marked "absent" found.${name} then [ ] else [{ inherit name; value = found.${name}; }]) (attrNames found));

  # The values of a tree of options, by definitions of which each is a set, a condition or a priority.
  evaluate = path: options: definitions:
    let
      plain = concatMap sets definitions;
      unknown = filter (name: !(options ? ${name})) (namesOf plain);
    in
    if unknown != [ ] then throw "The option `${show (path ++ [ (head unknown) ])}' does not exist."
    else mapAttrs
      (name: option:
        if isOption option then mergeOption (path ++ [ name ]) option (below name plain)
        else evaluate (path ++ [ name ]) option (below name plain))
      options;

  declared = path: first: second: first // mapAttrs
    (name: option:
      if !(first ? ${name}) then option
      else if isOption option || isOption first.${name} then throw "The option `${show (path ++ [ name ])}' is already declared."
      else declared (path ++ [ name ]) first.${name} option)
    second;

  load = arguments: module:
    let
      read = if isPath module || isString module then import module else module;
      found = if isFunction read then read arguments else read;
    in
    if found ? config || found ? options || found ? imports then { options = { }; config = { }; imports = [ ]; } // found
    else { options = { }; config = found; imports = [ ]; };

  withImports = arguments: module: let found = load arguments module; in concatMap (withImports arguments) found.imports ++ [ found ];

  evalModules = { modules, specialArgs ? { } }:
    let
      arguments = { inherit config lib options; } // specialArgs;
      found = concatMap (withImports arguments) modules;
      options = foldl' (declared [ ]) { } (map (module: module.options) found);
      config = evaluate [ ] options (map (module: module.config) found);
    in
    { inherit config options; };

  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };

  lib = {
    inherit all any concatStringsSep evalModules filter head isOption mkIf mkOverride types;
    inherit (builtins) concatLists elem genList;
    mkOption = option: option // { _type = "option"; };
    mkEnableOption = what: lib.mkOption {
      type = types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    literalExpression = text: { _type = "literalExpression"; inherit text; };
    optional = condition: item: if condition then [ item ] else [ ];
    optionals = condition: list: if condition then list else [ ];
    optionalAttrs = condition: found: if condition then found else { };
    optionalString = condition: text: if condition then text else "";
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasInfix = infix: text: length (builtins.split (lib.escapeRegex infix) text) > 1;
    removePrefix = prefix: text: if lib.hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    removeSuffix = suffix: text:
      let rest = stringLength text - stringLength suffix; in
      if rest >= 0 && substring rest (-1) text == suffix then substring 0 rest text else text;
    escapeRegex = builtins.replaceStrings [ "." "[" "]" "*" "+" "?" "(" ")" ] [ "\\." "\\[" "\\]" "\\*" "\\+" "\\?" "\\(" "\\)" ];
    escapeShellArg = text: if match "[[:alnum:],._+:@%/-]+" (toString text) != null then toString text
      else "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
    mapAttrsToList = f: found: map (name: f name found.${name}) (attrNames found);
    filterAttrs = keep: found: builtins.removeAttrs found (filter (name: !(keep name found.${name})) (attrNames found));
    recursiveUpdate = first: second: first // mapAttrs
      (name: value: if isAttrs value && isAttrs (first.${name} or null) then lib.recursiveUpdate first.${name} value else value)
      second;
    take = count: list: builtins.genList (elemAt list) (if count < length list then count else length list);
    unique = foldl' (found: item: if elem item found then found else found ++ [ item ]) [ ];
    versionAtLeast = version: least: builtins.compareVersions version least >= 0;
    getName = package: package.pname or (builtins.parseDrvName package.name).name;
  };
in
lib
