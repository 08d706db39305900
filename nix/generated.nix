# The files that the module makes: hive.yaml, the programs of agents, the operator's command, and what keeps old programs.
{ config, lib, pkgs }:
let
  cfg = config.services.forgehive;
  names = import ./names.nix;
  inherit (import ./schema.nix { inherit lib; }) groups;
  text = import ./hive-yaml.nix { inherit lib groups; };
  user = if builtins.elem cfg.settings.sandbox names.rootful then "root" else names.user;

  # What every container has (docs/operate.md), and what agents may declare.
  usual = [ "bash" "coreutils" "diffutils" "findutils" "gawk" "git" "gnugrep" "gnused" "gnutar" "gzip" ];

  # A copy for `hive check`: a build sees no state directory, and no file of this machine.
  checked = pkgs.writeText "hive.yaml" (text (cfg.settings // { state = "state"; ca_file = null; }));

  bots = lib.mapAttrsToList (name: file: "cp ${file} $out/${lib.escapeShellArg name}.py") cfg.bots;
in
rec {
  hiveYaml = text cfg.settings;

  configuration = pkgs.runCommand "forgehive-configuration" { } ''
    mkdir $out
    ${lib.concatStringsSep "\n" bots}
    ${lib.optionalString cfg.checkSettings ''
      cp -r $out checked
      chmod -R u+w checked
      cp ${checked} checked/hive.yaml
      ${cfg.package}/bin/hive check checked/hive.yaml
    ''}
    cp ${pkgs.writeText "hive.yaml" hiveYaml} $out/hive.yaml
  '';

  programs = pkgs.buildEnv {
    name = "forgehive-agent-programs";
    paths = map (name: pkgs.${name}) usual ++ cfg.agentPackages;
    pathsToLink = [ "/bin" ];
  };

  # Built configurations of agents link to programs in the store, those of an older system too: without a root of their own,
  # the garbage collector would take them from under agents whose configuration did not change since.
  keepPrograms = pkgs.writeShellScript "forgehive-keep-programs" ''
    set -eu
    umask 022
    roots=/nix/var/nix/gcroots/forgehive
    ${pkgs.coreutils}/bin/rm -rf "$roots.new"
    ${pkgs.coreutils}/bin/mkdir -p "$roots.new"
    ${pkgs.findutils}/bin/find ${lib.escapeShellArg cfg.settings.state}/agents -mindepth 5 -maxdepth 5 \
      -path '*/gens/*/bin/*' -type l -printf '%l\n' 2>/dev/null |
      ${pkgs.gnused}/bin/sed -nE 's,^(/nix/store/([0-9a-z]{32}-[A-Za-z0-9+._?=-]+))/.*,\1,p' |
      ${pkgs.coreutils}/bin/sort -u |
      while IFS= read -r path; do
        if [ -e "$path" ]; then ${pkgs.coreutils}/bin/ln -sfn "$path" "$roots.new/''${path##*/}"; fi
      done
    ${pkgs.coreutils}/bin/rm -rf "$roots"
    ${pkgs.coreutils}/bin/mv "$roots.new" "$roots"
  '';

  # `hive doctor`, `hive init`, … as the user of the hive and on its configuration, from wherever an operator is.
  # Root hands it the keys of models as systemd does: `hive doctor` asks each model that is in use a question.
  command = pkgs.writeShellScriptBin "hive" ''
    cd ${configuration} || exit 1
    if [ "$(${pkgs.coreutils}/bin/id -un)" = ${user} ]; then exec ${cfg.package}/bin/hive "$@"; fi
    if [ "$(${pkgs.coreutils}/bin/id -u)" != 0 ]; then
      echo "hive: this hive belongs to the user ${user}; run: sudo hive $*" >&2
      exit 1
    fi
    export HOME=${cfg.settings.state} # git looks there for its configuration
    CREDENTIALS_DIRECTORY=$(${pkgs.coreutils}/bin/mktemp -d /run/hive-keys.XXXXXXXX) || exit 1
    export CREDENTIALS_DIRECTORY
    trap '${pkgs.coreutils}/bin/rm -rf "$CREDENTIALS_DIRECTORY"' EXIT
    ${lib.concatStringsSep "\n" (lib.mapAttrsToList key cfg.credentials)}
    ${pkgs.coreutils}/bin/chown ${user} "$CREDENTIALS_DIRECTORY"
    ${pkgs.util-linux}/bin/setpriv --reuid ${user} --regid ${user} --init-groups ${cfg.package}/bin/hive "$@"
  '';

  key = name: file:
    "${pkgs.coreutils}/bin/install -m 0400 -o ${user} ${lib.escapeShellArg file} \"$CREDENTIALS_DIRECTORY\"/${lib.escapeShellArg name}";
}
