"""A run and its steps, its checks, its sandbox and its comment."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "failing checks go back to the model",
        "app/runs/checking.py",
        "again = mend is not None and by is None and any(one not in on_base or one not in mend for one in failing)",
        "again = False",
        ("tests/e2e/test_work.py::test_a_failing_check_goes_back_to_the_model_and_is_mended",),
    ),
    Mutant(
        "a check that failed before the change is told once",
        "app/runs/checking.py",
        "any(one not in on_base or one not in mend for one in failing)",
        "bool(failing)",
        ("tests/e2e/test_work.py::test_a_check_that_failed_before_the_change_is_told_the_model_once",),
    ),
    Mutant(
        "a check that the change broke is red",
        "app/runs/checking.py",
        "if self.ran or (self.code is not None and ran_on_base):",
        "if self.ran:",
        ("tests/e2e/test_trouble.py::test_a_check_that_the_change_takes_away_is_red",),
    ),
    Mutant(
        "the status comment is looked up",
        "app/runs/comments.py",
        "if found is None:",
        "if True:",
        ("tests/e2e/test_kill.py::test_killed_and_started_again[comment posted, not recorded]",),
    ),
    Mutant(
        "edits are coalesced",
        "app/runs/comments.py",
        "if written.lock.locked() or since < BETWEEN_EDITS:",
        "if written.lock.locked():",
        ("tests/e2e/test_work.py::test_no_two_edits_of_a_running_comment_within_ten_seconds",),
    ),
    Mutant(
        "a late edit is admitted",
        "app/runs/comments.py",
        "await self._engine.db(tables.mend(request.key))",
        "pass",
        ("tests/e2e/test_many.py::test_an_edit_that_comes_too_late_is_mended",),
    ),
    Mutant(
        "calls that were lost are not run again",
        "app/runs/footing.py",
        "return lost(args[0], told) if told else await self._working(name, body, *args)",
        "return await self._working(name, body, *args)",
        ("tests/runs/test_pipeline.py",),
    ),
    Mutant(
        "work that is in no checkpoint is no success",
        "app/runs/pipeline.py",
        "            if footing.behind:\n",
        "            if False:\n",
        ("tests/runs/test_pipeline.py",),
    ),
    Mutant(
        "a stop ends a wait",
        "app/runs/steps.py",
        "        await unless(stopping.wait(), asyncio.sleep(until - time.time()))\n",
        "        await asyncio.sleep(until - time.time())\n",
        ("tests/runs/test_steps.py",),
    ),
)
