import tempfile
import unittest
from pathlib import Path

from apiary.honey import apiary


class Honey(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.hives = Path(self.directory.name)
        self.addCleanup(self.directory.cleanup)

    def frame(self, path, size):
        place = self.hives / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * size)

    def test_counts_frames(self):
        self.frame("linden/one.frame", 3)
        self.frame("linden/two.frame", 4)
        self.assertEqual(apiary(self.hives), {"linden": 7})
