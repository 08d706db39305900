# A NixOS with next to nothing in it, in the place of nixos/lib/eval-config.nix: what nix/agent-system.nix builds where
# nixpkgs is not. A system of it boots; its programs are those of the machine around it, below /usr.
{ system, modules, specialArgs }:
let
  lib = import ./minilib.nix;
  inherit (builtins) attrNames concatStringsSep isBool isList map toString;

  made = name: script: derivation {
    inherit name script;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    passAsFile = [ "script" ];
    args = [ "-c" ". $scriptPath" ];
  };

  text = name: mode: content: derivation {
    inherit name content;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    passAsFile = [ "content" ];
    args = [ "-c" "cp $contentPath $out && chmod ${mode} $out" ];
  };

  pkgs = {
    coreutils = made "coreutils" "mkdir -p $out; ln -s /usr/bin $out/bin";
    python3 = made "python3" "mkdir -p $out/bin; ln -s /usr/bin/python3 $out/bin/python3";
    writeShellScript = name: content: text name "755" "#!/bin/bash\n${content}";
    hello = made "hello" "mkdir -p $out/bin; printf '#!/bin/sh\\necho hello\\n' > $out/bin/hello; chmod 755 $out/bin/hello";
  };

  tree = lib.mkOption { type = lib.types.attrsOf lib.types.anything; default = { }; };
  list = lib.mkOption { type = lib.types.listOf lib.types.raw; default = [ ]; };
  stubs = {
    options = {
      boot.isNspawnContainer = lib.mkOption { type = lib.types.bool; default = false; };
      environment.etc = tree;
      environment.systemPackages = list;
      networking = tree;
      nix.enable = lib.mkOption { type = lib.types.bool; default = true; };
      nixpkgs = tree;
      system.stateVersion = lib.mkOption { type = lib.types.str; default = "25.05"; };
      systemd.services = tree;
      users = tree;
    };
  };

  evaluated = lib.evalModules { modules = [ stubs ] ++ modules; specialArgs = specialArgs // { inherit pkgs; }; };
  inherit (evaluated) config;

  word = value: if isBool value then (if value then "true" else "false") else toString value;
  lines = options: concatStringsSep "\n" (builtins.concatLists (lib.mapAttrsToList
    (name: value: map (one: "${name}=${word one}") (if isList value then value else [ value ]))
    options));
  unit = name: found: text "${name}.service" "444" ''
    [Unit]
    Description=${found.description or name}
    [Service]
    ${lines (found.serviceConfig or { })}
    Environment=PATH=/usr/bin:/bin
    X-RestartIfChanged=${word (found.restartIfChanged or true)}
  '';

  people = concatStringsSep "\n" (lib.mapAttrsToList
    (name: user: "${name}:x:${toString user.uid}:${toString user.uid}::${user.home}:/bin/false")
    config.users.users);

  put = name: found: ''
    cp ${unit name found} $out/etc/systemd/system/${name}.service
    ${concatStringsSep "\n" (map (target: "mkdir -p $out/etc/systemd/system/${target}.wants; ln -s ../${name}.service $out/etc/systemd/system/${target}.wants/") (found.wantedBy or [ ]))}
  '';

  # What a system does when it boots: its units and users, the mark of what runs, and systemd.
  init = out: ''
    #!/bin/sh
    ln -sfn ${out} /run/current-system
    for unit in ${out}/etc/systemd/system/*; do cp -r "$unit" /etc/systemd/system/; done
    cp ${out}/etc/files/* /etc/ 2>/dev/null
    cp ${out}/etc/passwd ${out}/etc/group /etc/
    exec /usr/lib/systemd/systemd
  '';
in
evaluated // {
  config = config // {
    system.build.toplevel = made "nixos-system-${config.networking.hostName}-tiny" ''
      set -e
      mkdir -p $out/bin $out/sw/bin $out/etc/files $out/etc/systemd/system
      ${concatStringsSep "\n" (map (name: put name config.systemd.services.${name}) (attrNames config.systemd.services))}
      ${concatStringsSep "\n" (lib.mapAttrsToList (name: file: "cp ${text "etc" "444" file.text} $out/etc/files/${name}") config.environment.etc)}
      ${concatStringsSep "\n" (map (package: "ln -s ${package}/bin/* $out/sw/bin/") config.environment.systemPackages)}
      cp ${text "passwd" "444" "root:x:0:0::/root:/bin/sh\nmessagebus:x:110:110::/:/bin/false\n${people}\nnobody:x:65534:65534::/:/bin/false\n"} $out/etc/passwd
      sed -E 's/^([^:]*):x:([0-9]*):.*/\1:x:\2:/' $out/etc/passwd > $out/etc/group
      sed "s,@out@,$out,g" ${text "init" "444" (init "@out@")} > $out/init
      printf '#!/bin/sh\n[ "$1" = test ] || exit 2\ncp -r %s/etc/systemd/system/* /etc/systemd/system/\nln -sfn %s /run/current-system\nexec systemctl daemon-reload\n' $out $out > $out/bin/switch-to-configuration
      chmod 755 $out/init $out/bin/switch-to-configuration
    '';
  };
}
