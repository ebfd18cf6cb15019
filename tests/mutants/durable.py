"""What several processes and crashes leave true: engine, leases, tables."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "an execution knows that another has followed it",
        "app/runs/holders.py",
        "if await self._transact(_holder_of(self._workflow)) != self._name:",
        "if False:",
        ("tests/runs/test_leases.py::test_runs_of_a_killed_and_of_a_stopped_process_go_on_in_another",),
    ),
    Mutant(
        "what a late execution would keep is refused",
        "app/runs/holders.py",
        "if connection.execute(holder.with_for_update()).scalar_one_or_none() != self._name:",
        "if False:",
        ("tests/runs/test_holders.py",),
    ),
    Mutant(
        "a late execution asks the model nothing",
        "app/runs/asking.py",
        "await self._engine.keep(",
        "await self._engine.db(",
        ("tests/e2e/test_many.py::test_a_server_that_comes_back_asks_the_model_nothing_more",),
    ),
    Mutant(
        "a step in vain is given up",
        "app/runs/holders.py",
        "return self._vain >= VAIN",
        "return False",
        ("tests/runs/test_leases.py::test_a_step_that_ends_its_process_again_and_again_is_given_up",),
    ),
    Mutant(
        "trouble is redacted before it is recorded",
        "app/runs/workflow.py",
        "return self._engine.redact.value(output) if output.keys() & TROUBLE else output",
        "return output",
        ("tests/runs/test_engine.py",),
    ),
    Mutant(
        "a lost lease is no leave to act",
        "app/core/fence.py",
        "if holder and not await holder.holds():",
        "if False:",
        ("tests/github/test_rest.py::test_what_goes_on_elsewhere_is_not_written_here",),
    ),
)
