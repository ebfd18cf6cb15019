"""What people are shown."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "links lead to GitHub alone",
        "app/publish/text.py",
        'safe = url.startswith(server_url + "/") and _URL.fullmatch(url)',
        "safe = True",
        ("tests/publish/test_text.py::test_a_link_leads_to_github_or_is_none",),
    ),
    Mutant(
        "no mention comes to life",
        "app/publish/text.py",
        "_word(w) if _ALIVE.search(w) else w.translate(_SPECIAL)",
        "w.translate(_SPECIAL)",
        ("tests/publish/test_text.py::test_plain_text",),
    ),
    Mutant(
        "no Markdown of foreign text comes to life",
        "app/publish/text.py",
        "_word(w) if _ALIVE.search(w) else w.translate(_SPECIAL)",
        "_word(w) if _ALIVE.search(w) else w",
        ("tests/publish/test_text.py::test_plain_text",),
    ),
    Mutant(
        "no block is closed from within",
        "app/publish/text.py",
        'fence = "`" * max(3, _longest_run(s) + 1)',
        'fence = "```"',
        ("tests/publish/test_text.py::test_a_code_block_is_closed_by_its_own_fence_only",),
    ),
    Mutant(
        "no code span is closed from within",
        "app/publish/text.py",
        'fence = "`" * (_longest_run(s) + 1)',
        'fence = "`"',
        ("tests/publish/test_text.py::test_prose_has_paragraphs_lists_and_code_and_nothing_else",),
    ),
    Mutant(
        "no command of another bot begins a line",
        "app/publish/text.py",
        '    if s.startswith("/"):\n        return "&#47;" + s[1:]\n',
        "",
        ("tests/publish/test_text.py::test_plain_text",),
    ),
    Mutant(
        "no command of another bot begins a line in code",
        "app/publish/text.py",
        '    s = re.sub(r"^(\\s*)/", "\\\\1\\u2060/", s, flags=re.MULTILINE)\n',
        "",
        ("tests/publish/test_text.py::test_a_code_block_is_closed_by_its_own_fence_only",),
    ),
    Mutant(
        "no cell is closed from within",
        "app/publish/text.py",
        'return markdown.replace("|", "\\\\|")',
        "return markdown",
        ("tests/publish/test_text.py::test_a_table_cell_stays_one_cell",),
    ),
    Mutant(
        "hidden characters are shown in code",
        "app/publish/text.py",
        '    s = shown(_lines(s)).strip("\\n")\n',
        '    s = _lines(s).strip("\\n")\n',
        ("tests/publish/test_text.py::test_hidden_characters_are_shown_in_code",),
    ),
    Mutant(
        "green is what every check saw",
        "app/publish/view.py",
        "if not self.checks or any(check.exit_code is None for check in self.checks):",
        "if not self.checks:",
        ("tests/publish/test_comment.py::test_green_needs_every_check_seen_to_pass_on_the_published_tree",),
    ),
    Mutant(
        "green needs a check",
        "app/publish/view.py",
        "if not self.checks or any(check.exit_code is None for check in self.checks):",
        "if any(check.exit_code is None for check in self.checks):",
        ("tests/publish/test_comment.py::test_ready_without_a_check_is_not_green",),
    ),
    Mutant(
        "green is of the published tree",
        "app/publish/view.py",
        "if not self.published or not self.changed or self.published.tree != self.changed.tree:",
        "if False:",
        ("tests/publish/test_comment.py::test_green_needs_every_check_seen_to_pass_on_the_published_tree",),
    ),
    Mutant(
        "what an earlier tree's checks said is forgotten",
        "app/publish/view.py",
        'seen.changed, seen.left_out, seen.checks, seen.on_checks = None, None, [], ""',
        "pass",
        ("tests/publish/test_comment.py::test_a_check_of_an_earlier_tree_does_not_count",),
    ),
    Mutant(
        "a patch is linked where people reach it",
        "app/publish/comment.py",
        'if done.via == "patch" and patch_url else',
        "if patch_url else",
        ("tests/publish/test_comment.py::test_a_patch_is_linked_where_people_reach_it",),
    ),
)
