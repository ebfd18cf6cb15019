"""Settings, and runs on the command line."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a repository's .env sets nothing",
        "app/run_here.py",
        "load(env_file=None, kind=RunAlone)",
        "load(kind=RunAlone)",
        ("tests/test_run.py::test_a_folder_gets_a_branch_and_nothing_else_of_it_changes",),
    ),
    Mutant(
        "one process for a run on the command line",
        "app/run_folders.py",
        "    if _busy(folder):\n        raise",
        "    if False:\n        raise",
        ("tests/test_run.py::test_a_run_s_folder_is_found_by_what_was_asked_and_has_one_process",),
    ),
    Mutant(
        "a task asked of a server is begun once",
        "app/run_there.py",
        'else {"Idempotency-Key": self._once}',
        "else {}",
        ("tests/test_run.py::test_a_task_is_begun_once_although_the_first_answer_was_lost",),
    ),
)
