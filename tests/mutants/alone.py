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
        "of a folder commands reach no network",
        "app/run_here.py",
        '        own |= {"backspace_local_network": False}\n',
        "",
        ("tests/test_run.py::test_of_a_folder_nothing_leaves_this_machine_but_what_the_model_is_told",),
    ),
    Mutant(
        "what ends with its run takes no comment",
        "app/wiring.py",
        "if app and settings.is_server else None",
        "if app else None",
        ("tests/test_run.py::test_what_ends_with_its_run_takes_no_comment_and_keeps_nothing_for_others",),
    ),
    Mutant(
        "a machine of a run that was cut off is ended",
        "app/run_here.py",
        "        if kept and kept.in_e2b:\n",
        "        if False:\n",
        ("tests/sandbox/test_e2b_forgotten.py",),
    ),
    Mutant(
        "and no other machine",
        "app/run_here.py",
        "            if numbers.task_of(run) == task:\n",
        "            if True:\n",
        ("tests/sandbox/test_e2b_forgotten.py",),
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
    Mutant(
        "what began is not said never to have begun",
        "app/run_there.py",
        "raise Unheard(str(e)) if self._address else e from None",
        "raise",
        ("tests/test_run.py::test_a_task_whose_end_is_not_heard_is_not_said_never_to_have_begun",),
    ),
    Mutant(
        "no commands without isolation for others",
        "app/settings.py",
        '    if settings.sandbox == "unsafe-local":\n        raise',
        "    if False:\n        raise",
        ("tests/test_settings.py::test_no_isolation_only_on_loopback",),
    ),
    Mutant(
        "the database's password is a secret",
        "app/settings.py",
        "        database = [password] if",
        "        database: list[str] = [] if True else [password] if",
        ("tests/test_settings.py::test_the_password_of_the_database_is_a_secret",),
    ),
    Mutant(
        "a webhook secret is long",
        "app/settings.py",
        "github_webhook_secret: SecretStr | None = Field(default=None, min_length=16, validate_default=True)",
        "github_webhook_secret: SecretStr | None = Field(default=None, validate_default=True)",
        ("tests/test_settings.py::test_serve_names_everything_that_is_malformed_and_shows_no_value",),
    ),
    Mutant(
        "others' commands run here only where that is said",
        "app/settings.py",
        '    if not settings.backspace_sandbox and settings.sandbox == "local":\n',
        "    if False:\n",
        ("tests/test_settings.py::test_others_commands_run_on_this_machine_only_where_that_is_said",),
    ),
)
