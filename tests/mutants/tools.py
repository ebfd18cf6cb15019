"""The agent's hands."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a turn makes twenty calls",
        "app/tools/base.py",
        "groups(calls[:MOST])",
        "groups(calls)",
        ("tests/tools/test_calls.py",),
    ),
    Mutant(
        "reads run together and writes alone",
        "app/tools/base.py",
        "indexes, size = list(run), AT_ONCE if reads else 1",
        "indexes, size = list(run), AT_ONCE",
        ("tests/tools/test_calls.py::test_neighbours_that_only_read_run_together",),
    ),
    Mutant(
        "no path leads out of the repository",
        "app/tools/hands.py",
        "if not any(path == top or path.startswith(top + os.sep) for top in allowed):",
        "if False:",
        ("tests/tools/test_files.py::test_nothing_outside_the_repository_is_touched",),
    ),
    Mutant(
        "what is read has a limit",
        "app/tools/hands.py",
        "        if room < 0:\n            break",
        "        if False:\n            break",
        ("tests/tools/test_files.py::test_read_of_much_is_capped",),
    ),
    Mutant(
        "links are followed before a path is judged",
        "app/tools/hands.py",
        'path: str = os.path.realpath(os.path.join(root, request["path"]))',
        'path: str = os.path.normpath(os.path.join(root, request["path"]))',
        ("tests/tools/test_files.py::test_nothing_outside_the_repository_is_touched",),
    ),
    Mutant(
        "a tool takes text",
        "app/tools/hands.py",
        '    if b"\\0" in data[:8192]:\n        raise',
        "    if False:\n        raise",
        ("tests/tools/test_files.py::test_what_can_not_be_read_says_why",),
    ),
    Mutant(
        "an edit is of one place",
        "app/tools/hands.py",
        'if count > 1 and not request["replace_all"]:',
        "if False:",
        ("tests/tools/test_files.py::test_edit_that_is_not_clear_changes_nothing_and_helps",),
    ),
    Mutant(
        "a file is written whole or not at all",
        "app/tools/hands.py",
        "        os.chmod(draft, os.stat(path).st_mode & 0o7777)\n",
        "        pass\n",
        ("tests/tools/test_files.py::test_edit_keeps_line_ends_encoding_and_mode",),
    ),
    Mutant(
        "a search has a limit",
        "app/tools/hands.py",
        "if room < 0 or len(found) >= MAX_MATCHES:",
        "if False:",
        ("tests/tools/test_files.py::test_search_with_many_matches_is_capped",),
    ),
    Mutant(
        "a command is redacted as text a terminal shows",
        "app/tools/tool.py",
        'text = without_hidden(output.decode(errors="replace"))',
        'text = output.decode(errors="replace")',
        ("tests/tools/test_calls.py::test_clean_leaves_text_that_a_terminal_does_not_act_on",),
    ),
    Mutant(
        "a text in an event has a limit",
        "app/tools/tool.py",
        "    if len(text) <= limit:\n        return text\n    half",
        "    return text\n    half",
        ("tests/tools/test_calls.py::test_short_is_short",),
    ),
)
