"""A repository whose program writes out what this file's text hides: secrets that a machine found elsewhere, in every form."""

from collections.abc import Iterable

from tests.e2b_cloud.search import forms

PROGRAM = """for line in open("hidden.txt"):
    print(bytes(byte ^ 1 for byte in bytes.fromhex(line)).decode())
"""


def files(words: Iterable[str]) -> dict[str, str]:
    """`leak.py` prints each word in each form; `hidden.txt` holds none of them in any form that is searched for."""
    lines = [bytes(byte ^ 1 for byte in form).hex() for form in lines_of(words)]
    return {"leak.py": PROGRAM, "hidden.txt": "\n".join(lines) + "\n"}


def lines_of(words: Iterable[str]) -> list[bytes]:
    return [form for word in words for all_ in forms(word).values() for form in sorted(all_)]


def written_out(word: str) -> str:
    """The word in every form, one a line."""
    return "\n".join(form.decode() for form in lines_of([word]))
