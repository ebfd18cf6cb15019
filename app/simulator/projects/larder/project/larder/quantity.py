"""An amount and its unit: "1 1/2 kg", "250 g", or plain "2" for what is counted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from larder.units import unit_named

_SIGNS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅛": "1/8"}
_SIGN_OF = {Fraction(text): sign for sign, text in _SIGNS.items()}


@dataclass(frozen=True)
class Quantity:
    amount: Fraction
    unit: str = ""

    @classmethod
    def parse(cls, words: list[str]) -> tuple[Quantity, list[str]]:
        """The quantity at the start of `words`, and the words after it. Raises ValueError where none is there."""
        amount, used = Fraction(0), 0
        for word in words[:2]:
            try:
                amount += _number(word)
            except ValueError:
                break
            used += 1
        if not used:
            raise ValueError(f"no amount in {' '.join(words)!r}")
        unit = unit_named(words[used]) if used < len(words) - 1 else None
        return (cls(amount, unit), words[used + 1 :]) if unit else (cls(amount), words[used:])

    def scaled(self, factor: Fraction) -> Quantity:
        return Quantity(self.amount * factor, self.unit)

    def __add__(self, other: Quantity) -> Quantity:
        if self.unit != other.unit:
            raise ValueError(f"can't add {other} to {self}")
        return Quantity(self.amount + other.amount, self.unit)

    def __str__(self) -> str:
        return f"{_written(self.amount)} {self.unit}".rstrip()


def _number(word: str) -> Fraction:
    """ "2", "0.5", "1/2", "½" or "1½"."""
    for sign, text in _SIGNS.items():
        if word.endswith(sign):
            return Fraction(word.removesuffix(sign) or 0) + Fraction(text)
    return Fraction(word)


def _written(amount: Fraction) -> str:
    """As a cook writes it: 3, 1½, 2/5, and 1.03 where a fraction would be odd."""
    whole, rest = divmod(amount, 1)
    if not rest:
        return str(whole)
    if rest in _SIGN_OF:
        return f"{whole or ''}{_SIGN_OF[rest]}"
    return str(amount) if not whole and rest.denominator <= 8 else f"{float(amount):.3g}"
