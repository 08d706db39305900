# What the hive needs and nixpkgs may lack or have in an older version: wheels of pure Python, pinned as in requirements.lock.
{ python3Packages, fetchPypi }:
let
  packages = map (name: python3Packages.${name});

  wheel = { pname, version, file ? builtins.replaceStrings [ "-" ] [ "_" ] pname, hash, dependencies }:
    python3Packages.buildPythonPackage {
      inherit pname version dependencies;
      format = "wheel";
      src = fetchPypi {
        inherit version hash;
        pname = file;
        format = "wheel";
        dist = "py3";
        python = "py3";
      };
      doCheck = false;
    };
in
rec {
  httpcore2 = wheel {
    pname = "httpcore2";
    version = "2.16.2";
    hash = "sha256-FgUa4qQvd2AHVD8y3pNJoxeyPSy7ThRWtLrA6IuHQZo=";
    dependencies = packages [ "anyio" "h11" "truststore" ];
  };

  httpx2 = wheel {
    pname = "httpx2";
    version = "2.16.2";
    hash = "sha256-8FwTqt5MRdvxyQYGR6EFjwrK1iOY+tludBJp7bM9RvU=";
    dependencies = [ httpcore2 ] ++ packages [ "anyio" "idna" "truststore" ];
  };

  huey = wheel {
    pname = "huey";
    version = "3.5.4";
    hash = "sha256-o7aJU/xi+7v+Fc1sSL752AcqJnI0xkcSHDHsRm416Og=";
    dependencies = [ ];
  };
}
