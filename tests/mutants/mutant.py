"""One thing that is switched off."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`name`: what is promised, and holds no more."""

    name: str
    file: str
    old: str
    """Stands exactly once in the file."""
    new: str
    tests: tuple[str, ...]
    """Arguments for pytest: at least one of these tests must fail."""
