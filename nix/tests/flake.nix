# A stand-in for nixpkgs, so that `nix flake check` needs no network:
#   nix flake check --offline --no-build --no-write-lock-file --override-input nixpkgs path:./nix/tests
{
  description = "The names of nixpkgs that our flake uses; nothing of it can be built.";

  outputs = _:
    let
      minilib = import ./minilib.nix;
      systems = [ "x86_64-linux" "aarch64-linux" ];

      genAttrs = names: made: builtins.listToAttrs (map (name: { inherit name; value = made name; }) names);

      lib = minilib // {
        inherit genAttrs;
        licenses.asl20 = "asl20";
        platforms.linux = systems;
        makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
        makeLibraryPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/lib") packages);
        nixosSystem = { modules }: minilib.evalModules {
          modules = [ ./stubs.nix ] ++ modules;
          specialArgs.pkgs = pkgsFor "x86_64-linux";
        };
      };

      pkgsFor = system:
        let
          made = name: arguments: derivation {
            inherit name system;
            builder = "/nothing/of/this/can/be/built";
            given = builtins.toJSON arguments;
          };
          packages = genAttrs (builtins.attrNames (import ./pkgs.nix { })) (name: made name { });
          python = genAttrs [
            "annotated-types" "anyio" "click" "detect-secrets" "flask" "gitpython" "h11" "hatchling" "httptools" "idna"
            "isal" "markdown-it-py" "nh3" "pydantic" "pygments" "pyyaml" "redis" "requests" "truststore"
            "waitress"
          ] (name: made "python-${name}" { });
          pkgs = packages // genAttrs [ "chromium" "curl" "gnumake" "nixfmt" "python3" "redis" ] (name: made name { }) // {
            inherit lib;
            path = "/nix/store/00000000000000000000000000000000-nixpkgs";
            nix = packages.nix // { pname = "nix"; version = "2.34.5"; };
            stdenv = { cc.cc.lib = made "stdenv" { }; hostPlatform = { inherit system; }; };
            python3Packages = python // {
              buildPythonApplication = arguments: made arguments.pname { inherit (arguments) version dependencies meta; };
              buildPythonPackage = arguments: made arguments.pname { inherit (arguments) version dependencies src; };
            };
            fetchPypi = arguments: made arguments.pname arguments;
            callPackage = file: more:
              let f = import file; in
              f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // more);
            mkShell = made "shell";
            buildEnv = arguments: made arguments.name { };
            writeText = name: made name;
            writeShellScript = name: made name;
            writeShellScriptBin = name: made name;
            runCommand = name: _: made name;
            testers.runNixOSTest = file:
              let
                test = import file { inherit lib; };
                machine = minilib.evalModules { modules = [ ./stubs.nix test.nodes.machine ]; specialArgs = { inherit pkgs; }; };
              in
              made test.name {
                inherit (test) testScript;
                inherit (machine.config) assertions systemd;
              };
          };
        in
        pkgs;
    in
    {
      inherit lib;
      legacyPackages = genAttrs systems pkgsFor;
    };
}
