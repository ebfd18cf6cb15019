"""That a test shows each case of the lists, and which mention counts."""

from tests.cases import expected, named_in, shown

CASE = next(iter(expected()))
SOURCE = f'''
"""{CASE}"""


def test_data():
    """No case."""
    assert "{CASE}"  # {CASE}


def helper():
    """{CASE}"""


class TestMore:
    async def test_case(self):
        """{CASE}: and why."""
'''


def test_each_case_has_a_test_and_each_id_that_a_test_names_is_a_case() -> None:
    assert sorted(shown()) == sorted(expected())


def test_a_case_is_shown_by_the_docstring_of_a_test_and_by_no_other_mention() -> None:
    assert list(named_in(SOURCE)) == [(CASE, "test_case")]
