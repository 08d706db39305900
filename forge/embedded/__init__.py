"""A small real forge for one machine, in Forgejo's dialect: for trying out, tests and demos."""
