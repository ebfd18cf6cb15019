"""Sandboxes in E2B."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "no command before its network policy",
        "app/sandbox/e2b_calls.py",
        "                await self._hold_to(self._policies.cloning if call.network else self._policies.afterwards)\n",
        "",
        ("tests/sandbox/test_e2b.py::test_no_command_starts_before_the_network_is_closed",),
    ),
    Mutant(
        "a lost connection is another question",
        "app/sandbox/e2b_calls.py",
        "                if wait is None:\n                    raise\n                await asyncio.sleep(wait)\n",
        "                raise\n",
        ("tests/sandbox/test_e2b.py::test_a_command_goes_on_where_the_connection_is_lost[drop]",),
    ),
    Mutant(
        "a sandbox that sleeps is woken",
        "app/sandbox/e2b_calls.py",
        "                if wait is None:\n                    raise\n                await awake(self._box.connect)\n",
        "                if True:\n                    raise\n                await awake(self._box.connect)\n",
        ("tests/sandbox/test_e2b.py::test_a_command_goes_on_where_the_connection_is_lost[pause]",),
    ),
    Mutant(
        "an end that fails is tried again",
        "app/sandbox/e2b_calls.py",
        "            await insist(self._box.kill)\n",
        "            with translated():\n                await self._box.kill()\n",
        ("tests/sandbox/test_e2b.py::test_an_end_that_fails_is_tried_again",),
    ),
    Mutant(
        "another sandbox's calls are not ours",
        "app/sandbox/e2b_calls.py",
        'return f"{HOME}/.backspace/sandboxes/{self.id}"',
        'return f"{HOME}/.backspace/sandboxes/any"',
        ("tests/sandbox/test_e2b_kept.py::test_nothing_of_the_other_ones_calls_is_left",),
    ),
    Mutant(
        "the network is closed again after a pause",
        "app/sandbox/e2b_calls.py",
        "                await awake(self._box.connect)\n                self._policies.known.pop(self.id, None)\n",
        "                await awake(self._box.connect)\n",
        ("tests/sandbox/test_e2b.py::test_after_a_pause_the_network_is_closed_again",),
    ),
    Mutant(
        "the sandbox is looked up",
        "app/sandbox/e2b.py",
        'for found in await self._list({"run": run_id}):',
        "for found in ():",
        (
            "tests/sandbox/test_e2b.py::test_one_that_was_paused_is_as_it_was",
            "tests/sandbox/test_e2b_kept.py::test_where_it_is_gone_a_cold_one_is_made_under_another_key",
        ),
    ),
    Mutant(
        "one key makes one sandbox",
        "app/sandbox/e2b.py",
        'idempotency_key=f"backspace-{hashlib.sha256(key.encode()).hexdigest()}"',
        "idempotency_key=None",
        ("tests/sandbox/test_contract.py::test_create_is_once_for_a_run[e2b]",),
    ),
    Mutant(
        "another deployment's sandboxes are not ours",
        "app/sandbox/e2b.py",
        'return {"app": "backspace", "deployment": self.deployment}',
        'return {"app": "backspace"}',
        ("tests/sandbox/test_e2b_kept.py::test_servers_that_share_a_team_see_their_own_sandboxes_only",),
    ),
    Mutant(
        "a kept state that is gone is said",
        "app/sandbox/e2b.py",
        "if warm and refused.status_code in (400, 404):",
        "if False:",
        ("tests/sandbox/test_e2b_kept.py::test_where_it_is_gone_a_cold_one_is_made_under_another_key",),
    ),
)
