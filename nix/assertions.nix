# What the types of options cannot say; each message names the option by its path, and what to write instead.
{ config, lib }:
let
  inherit (builtins) attrNames concatMap elem isAttrs isList isString match;
  inherit (lib) filter mapAttrsToList optional;
  cfg = config.services.forgehive;
  settings = cfg.settings;
  at = path: "services.forgehive.settings.${path}";
  holds = assertion: message: { inherit assertion message; };

  perTeam = check: lib.concatLists (mapAttrsToList check settings.teams);

  agents = perTeam (name: team: map
    (agent: holds (match "[a-z][a-z0-9]{0,8}" agent != null)
      "${at "teams.${name}.agents"}: \"${agent}\" should be 1 to 9 small letters and digits, a letter first: a container's name is short.")
    team.agents);

  # Nix has no order of names: the first lane and the last kind would be those of the alphabet.
  order = perTeam (name: team: map
    (key: holds (isList team.${key} || team.${key} == null || builtins.length (attrNames team.${key}) < 2)
      "${at "teams.${name}.${key}"}: the order counts, and Nix sorts names. Write a list: [ { name = \"…\"; … } { name = \"…\"; … } ].")
    [ "lanes" "kinds" ]);

  twice = perTeam (name: team: map
    (key:
      let found = if isList (team.${key}) then map (entry: entry.name) team.${key} else [ ]; in
      holds (lib.unique found == found) "${at "teams.${name}.${key}"}: a name stands there twice.")
    [ "lanes" "kinds" ]);

  strings = path: value:
    if isString value then [{ inherit path value; }]
    else if isAttrs value then lib.concatLists (mapAttrsToList (name: strings (path ++ [ name ])) value)
    else if isList value then concatMap (strings path) value
    else [ ];

  # What keys of models, tokens of forges, private keys and addresses with a password look like.
  secretive = [
    "sk-[A-Za-z0-9_-]{16,}"
    "(ghp|gho|ghs|glpat|github_pat|xox[abp])[_-][A-Za-z0-9_-]{16,}"
    "[0-9a-f]{40}"
    "AKIA[0-9A-Z]{16}"
    "[a-z+]+://[^/@]*:[^/@]+@.*"
    "-----BEGIN .*"
  ];
  isSecret = value: lib.any (pattern: match pattern value != null) secretive;
  secrets = map
    (found: holds (!isSecret found.value)
      "${at (lib.concatStringsSep "." found.path)}: this looks like a secret, and everybody on this machine can read it. Put it into a file, and name that in services.forgehive.credentials.")
    (strings [ ] settings);

  inStore = file: lib.hasPrefix "${builtins.storeDir}/" file;
  files = mapAttrsToList
    (name: file: holds (lib.hasPrefix "/" file && !inStore file)
      "services.forgehive.credentials.${name}: should be the path of a file outside of the Nix store, which everybody can read (it is \"${file}\").")
    cfg.credentials;

  providers = [{ path = "model"; found = settings.model; }]
    ++ mapAttrsToList (name: found: { path = "model.providers.${name}"; inherit found; })
    (if settings.model.providers == null then { } else settings.model.providers);
  keys = concatMap
    ({ path, found }:
      optional (found.credential != null) (holds (cfg.credentials ? ${found.credential})
        "${at "${path}.credential"}: there is no services.forgehive.credentials.${found.credential}.")
      ++ optional (found.key_file != null) (holds (lib.hasPrefix "/" found.key_file && !inStore found.key_file)
        "${at "${path}.key_file"}: should be an absolute path outside of the Nix store (it is \"${found.key_file}\"); better: services.forgehive.credentials."))
    providers;
  unused = filter (name: !elem name (map (provider: provider.found.credential) providers)) (attrNames cfg.credentials);

  own = mapAttrsToList
    (name: forge: holds (forge.kind != "embedded")
      "${at "forges.${name}.kind"}: `hive up` alone runs the embedded forge. Use services.forgehive.forge.enable, or a forge of yours.")
    settings.forges;

  single = [
    (holds (match "/var/lib/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*" settings.state != null && match ".*/\\.\\.?(/.*)?" settings.state == null)
      "${at "state"}: should be a directory below /var/lib, where systemd makes it for the hive (it is \"${settings.state}\"); mount another disk there.")
    (holds (match "[0-9.]+|[0-9a-fA-F:]+" settings.web.host != null)
      "${at "web.host"}: should be an IP address, for systemd listens on it (it is \"${settings.web.host}\").")
    (holds (settings.web.port != 0) "${at "web.port"}: should be a port that the forge knows, not 0.")
  ];
in
{
  assertions = agents ++ order ++ twice ++ secrets ++ files ++ keys ++ own ++ single;

  warnings =
    map (name: "services.forgehive.credentials.${name}: no `credential` of services.forgehive.settings names it.") unused
    ++ optional (settings.sandbox == "none")
      "${at "sandbox"}: with \"none\" agents can read all that the hive can, secrets too."
    ++ optional (elem settings.sandbox (import ./names.nix).rootful)
      "${at "sandbox"}: with \"${settings.sandbox}\" root runs the hive. Containers by bubblewrap, the default, need no rights.";
}
