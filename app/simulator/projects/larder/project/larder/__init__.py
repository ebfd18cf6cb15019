"""Recipes as plain text, and one shopping list for all of them."""

from larder.quantity import Quantity
from larder.recipe import Ingredient, Recipe
from larder.shopping import shopping_list

__all__ = ["Ingredient", "Quantity", "Recipe", "shopping_list"]
