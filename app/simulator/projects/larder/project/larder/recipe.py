"""A recipe and how it is read from text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from larder.quantity import Quantity


@dataclass(frozen=True)
class Ingredient:
    name: str
    quantity: Quantity


@dataclass(frozen=True)
class Recipe:
    title: str
    serves: int
    ingredients: tuple[Ingredient, ...]

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Title, `serves N`, ingredients. Raises ValueError that names the line it can't read."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[1].startswith("serves "):
            raise ValueError("a recipe begins with its title and a line `serves N`")
        serves = int(lines[1].removeprefix("serves "))
        return cls(lines[0], serves, tuple(_ingredient(line) for line in lines[2:]))

    def for_people(self, people: int) -> Recipe:
        """The same recipe with its amounts scaled to `people`."""
        factor = Fraction(people, self.serves)
        scaled = (replace(i, quantity=i.quantity.scaled(factor)) for i in self.ingredients)
        return replace(self, serves=people, ingredients=tuple(scaled))


def _ingredient(line: str) -> Ingredient:
    quantity, rest = Quantity.parse(line.split())
    if not rest:
        raise ValueError(f"no ingredient in {line!r}")
    return Ingredient(" ".join(rest), quantity)
