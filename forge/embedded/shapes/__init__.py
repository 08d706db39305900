"""How the forge tells things: rows in, JSON values out, for one pair of eyes (`viewer`, None for nobody's)."""
