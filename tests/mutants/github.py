"""GitHub's API: tokens, retries, pacing, and what is looked up there."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "tokens are for one repository",
        "app/github/tokens.py",
        "if key.repository_id is not None:",
        "if False:",
        ("tests/github",),
    ),
    Mutant(
        "tokens are for one stage",
        "app/github/tokens.py",
        '"permissions": dict(key.permissions)}',
        "}",
        ("tests/e2e/test_happy.py::test_tokens_are_for_one_repository_and_one_stage_and_revoked",),
    ),
    Mutant(
        "no branch is forced",
        "app/github/client.py",
        '{"sha": sha, "force": False}',
        '{"sha": sha, "force": True}',
        ("tests/publish/test_commit.py",),
    ),
    Mutant(
        "a write is its process's business still",
        "app/github/rest.py",
        'if self._guarded and method != "GET":',
        "if False:",
        ("tests/github/test_rest.py::test_what_goes_on_elsewhere_is_not_written_here",),
    ),
    Mutant(
        "a token that is refused is replaced",
        "app/github/rest.py",
        "if renewed or not self._credentials.refused(token):",
        "if True:",
        ("tests/github/test_rest.py::test_a_token_refused_is_replaced_once",),
    ),
    Mutant(
        "a token is replaced once",
        "app/github/rest.py",
        "if renewed or not self._credentials.refused(token):",
        "if not self._credentials.refused(token):",
        ("tests/github/test_rest.py::test_a_token_refused_is_replaced_once",),
    ),
    Mutant(
        "what creates is sent once",
        "app/github/rest.py",
        "iter(_BACKOFF if again else ())",
        "iter(_BACKOFF)",
        ("tests/github/test_rest.py::test_what_creates_is_sent_once",),
    ),
    Mutant(
        "what is safe to repeat is tried again",
        "app/github/rest.py",
        "iter(_BACKOFF if again else ())",
        "iter(())",
        ("tests/github/test_rest.py::test_a_read_outlasts_trouble",),
    ),
    Mutant(
        "a long wait is the caller's",
        "app/github/rest.py",
        "if wait is None or (e.retry_after or 0) > _PATIENCE:",
        "if wait is None:",
        ("tests/github/test_rest.py::test_a_limit_silences_the_installation",),
    ),
    Mutant(
        "a limit silences the installation",
        "app/github/rest.py",
        "            self.lane.silence(failure.retry_after or 0)\n",
        "            pass\n",
        ("tests/github/test_rest.py::test_a_limit_silences_the_installation",),
    ),
    Mutant(
        "the token goes to no other host",
        "app/github/rest.py",
        "if url.origin() != self._origin:",
        "if False:",
        ("tests/github/test_rest.py::test_the_token_goes_to_no_other_host",),
    ),
    Mutant(
        "every write takes its turn",
        "app/github/rest.py",
        "        await self.lane.wait()\n",
        "",
        ("tests/github/test_rest.py::test_every_write_takes_a_turn_of_the_installation",),
    ),
    Mutant(
        "a page that shifts lists nothing twice",
        "app/github/rest.py",
        '                if item["id"] not in seen:\n',
        "                if True:\n",
        ("tests/github/test_rest.py::test_no_comment_is_listed_twice",),
    ),
    Mutant(
        "where GitHub's reason is cut the redactor looks for half a secret",
        "app/github/errors.py",
        'f"{words[:_LONGEST]}…"',
        "words[:_LONGEST]",
        ("tests/github/test_errors.py",),
    ),
)
