import unittest

from larder import Recipe

PANCAKES = """
Pancakes
serves 4

250 grams flour
2 eggs
"""


class RecipeTest(unittest.TestCase):
    def test_reads_title_servings_and_ingredients(self):
        recipe = Recipe.parse(PANCAKES)
        self.assertEqual((recipe.title, recipe.serves), ("Pancakes", 4))
        self.assertEqual([f"{i.quantity} {i.name}" for i in recipe.ingredients], ["250 g flour", "2 eggs"])

    def test_scales_to_the_people_who_come(self):
        recipe = Recipe.parse(PANCAKES).for_people(6)
        self.assertEqual([str(i.quantity) for i in recipe.ingredients], ["375 g", "3"])

    def test_says_which_line_it_cannot_read(self):
        with self.assertRaisesRegex(ValueError, "no amount in 'a little salt'"):
            Recipe.parse(PANCAKES + "a little salt")
