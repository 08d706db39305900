import tempfile
import unittest
from pathlib import Path

from apiary.page import application


class Page(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.hives = Path(directory.name, "hives")
        (self.hives / "linden").mkdir(parents=True)
        (self.hives / "linden" / "one.frame").write_bytes(b"xxx")
        Path(directory.name, "secret.frame").write_bytes(b"x")

    def get(self, path):
        said = []
        body = application(self.hives)({"PATH_INFO": path}, lambda status, headers: said.append(status))
        return said[0], b"".join(body).decode()

    def test_shows_all_hives(self):
        self.assertEqual(self.get("/"), ("200 OK", "linden: 3\n"))

    def test_shows_one_hive(self):
        self.assertEqual(self.get("/linden"), ("200 OK", "3\n"))

    def test_stays_among_the_hives(self):
        for path in ("/..", "/../..", "/linden/..", "/none"):
            self.assertEqual(self.get(path), ("404 Not Found", "no such hive\n"))
