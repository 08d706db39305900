# The configuration of docs/nixos.md.
{ config, ... }:
{
  services.forgehive = {
    enable = true;
    forge.enable = true;
    credentials.anthropic = "/var/lib/keys/anthropic";
    settings.model.credential = "anthropic";
    settings.teams.acme = {
      forge = config.services.forgehive.forge.name;
      operators = [ "mara" ];
      repos = [ "app" ];
      agents = [ "iris" "atlas" ];
      lanes = [
        { name = "app"; agent = "iris"; words = [ "page" "button" ]; }
        { name = "infra"; agent = "atlas"; words = [ "deploy" "nix" ]; }
      ];
    };
  };
}
