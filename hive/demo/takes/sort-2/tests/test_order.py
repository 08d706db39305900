import unittest

from apiary.order import ordered


class Order(unittest.TestCase):
    def test_fullest_first(self):
        self.assertEqual(ordered({"linden": 3, "clover": 9, "heath": 5}), ["clover", "heath", "linden"])
