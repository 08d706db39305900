import gzip
import subprocess
import tempfile
import unittest
from pathlib import Path


class Download(unittest.TestCase):
    def test_is_the_page_compressed(self):
        with tempfile.TemporaryDirectory() as directory:
            hive = Path(directory, "hives", "linden")
            hive.mkdir(parents=True)
            (hive / "one.frame").write_bytes(b"xxx")
            subprocess.run(["sh", "apiary/download.sh", f"{directory}/hives", directory], check=True)
            self.assertEqual(gzip.decompress(Path(directory, "honey.txt.gz").read_bytes()), b"linden: 3\n")
