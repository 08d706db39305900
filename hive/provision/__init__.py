"""Makes a Forgejo or Gitea ready for the hive, looks whether it still is, and replaces its secrets.

Everything is ensured: what is right stays, what differs is put right and said, and a second run
changes nothing. The admin's password is needed while this runs, and kept nowhere.
"""

from hive.provision.diagnostics import CheckResult, summary
from hive.provision.doctor import Doctor, Key
from hive.provision.provisioner import Provisioner
from hive.provision.rotate import Rotation
from hive.provision.steps import Step

__all__ = ["CheckResult", "Doctor", "Key", "Provisioner", "Rotation", "Step", "summary"]
