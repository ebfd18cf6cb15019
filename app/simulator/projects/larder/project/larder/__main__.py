"""The command line: `python3 -m larder shop RECIPE… [--for PEOPLE]`."""

import argparse
import sys
from pathlib import Path

from larder.recipe import Recipe
from larder.shopping import shopping_list, written


def main() -> int:
    parser = argparse.ArgumentParser(prog="larder", description="One shopping list for several recipes.")
    parser.add_argument("command", choices=["shop"])
    parser.add_argument("recipes", nargs="+", type=Path, metavar="RECIPE")
    parser.add_argument("--for", dest="people", type=int, metavar="PEOPLE")
    options = parser.parse_args()
    try:
        recipes = [Recipe.parse(path.read_text(encoding="utf-8")) for path in options.recipes]
    except (OSError, ValueError) as e:
        print(f"larder: {e}", file=sys.stderr)
        return 1
    if options.people:
        recipes = [recipe.for_people(options.people) for recipe in recipes]
    print(written(shopping_list(recipes)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
