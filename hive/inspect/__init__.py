"""What a bot may ask to have inspected: analysers over a pull request, and the plan of a configuration."""
