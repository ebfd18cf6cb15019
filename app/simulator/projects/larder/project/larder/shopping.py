"""One list of what to buy for several recipes."""

from collections.abc import Iterable

from larder.quantity import Quantity
from larder.recipe import Ingredient, Recipe


def shopping_list(recipes: Iterable[Recipe]) -> list[Ingredient]:
    """What all the recipes need together, by name; the same ingredient in the same unit is one line."""
    wanted: dict[tuple[str, str], Quantity] = {}
    for recipe in recipes:
        for item in recipe.ingredients:
            key = (item.name, item.quantity.unit)
            wanted[key] = wanted[key] + item.quantity if key in wanted else item.quantity
    return [Ingredient(name, quantity) for (name, _), quantity in sorted(wanted.items(), key=lambda entry: entry[0])]


def written(items: list[Ingredient]) -> str:
    """The list as text, amounts in a column."""
    width = max((len(str(item.quantity)) for item in items), default=0)
    return "\n".join(f"{item.quantity!s:<{width}} {item.name}" for item in items)
