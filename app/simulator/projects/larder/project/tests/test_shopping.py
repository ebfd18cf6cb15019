import unittest

from larder import Recipe, shopping_list
from larder.shopping import written


def recipe(*ingredients):
    return Recipe.parse("\n".join(["Something", "serves 2", *ingredients]))


class ShoppingListTest(unittest.TestCase):
    def test_the_same_ingredient_is_one_line(self):
        items = shopping_list([recipe("2 eggs", "250 g flour"), recipe("1 egg", "4 eggs", "100 g flour")])
        self.assertEqual(written(items), "1     egg\n6     eggs\n350 g flour")

    def test_what_cannot_be_added_stays_apart(self):
        items = shopping_list([recipe("2 tsp salt"), recipe("1 pinch salt")])
        self.assertEqual(written(items), "1 pinch salt\n2 tsp   salt")

    def test_nothing_to_cook_is_nothing_to_buy(self):
        self.assertEqual(written(shopping_list([])), "")
