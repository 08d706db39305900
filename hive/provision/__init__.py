"""Sets up a Forgejo or Gitea for the hive, checks that set-up, and rotates secrets.

Everything is idempotent: what is right stays, what differs is fixed and reported, and a second run
changes nothing. The admin's password is needed while this runs, and stored nowhere.
"""

from hive.provision.check_results import CheckResult, summary
from hive.provision.doctor import Doctor, Key
from hive.provision.provisioner import Provisioner
from hive.provision.rotate import Rotation
from hive.provision.steps import Step

__all__ = ["CheckResult", "Doctor", "Key", "Provisioner", "Rotation", "Step", "summary"]
