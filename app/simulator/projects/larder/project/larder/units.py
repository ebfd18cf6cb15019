"""The units that a recipe may use, and the other names people have for them."""

ALIASES = {
    "g": ("gram", "grams", "gr"),
    "kg": ("kilo", "kilos", "kilogram", "kilograms"),
    "ml": ("millilitre", "millilitres", "milliliter", "milliliters"),
    "l": ("litre", "litres", "liter", "liters"),
    "tsp": ("teaspoon", "teaspoons"),
    "tbsp": ("tablespoon", "tablespoons"),
    "pinch": ("pinches",),
    "clove": ("cloves",),
}

_BY_NAME = {name: unit for unit, names in ALIASES.items() for name in (unit, *names)}


def unit_named(word: str) -> str | None:
    """The unit that `word` means ("Grams" is "g"), or None: then the word belongs to the ingredient's name."""
    return _BY_NAME.get(word.lower().rstrip("."))
