"""Makes a forge ready for the hive: accounts, rights, labels, hooks, protections, configurations.

Everything is ensured: what is there already stays, and a second run changes nothing. The admin's
password is needed while this runs, and kept nowhere.
"""

from hive.provision.ready import Provision

__all__ = ["Provision"]
