"""The model, its limits, and the loop."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a cut reply is discarded",
        "app/agent/reply.py",
        "if not (self.over and self.stop_reason) or self._open:",
        "if False:",
        ("tests/e2e/test_work.py::test_a_reply_cut_in_a_tool_call_is_asked_again_and_never_run",),
    ),
    Mutant(
        "secrets are taken out of results",
        "app/agent/loop.py",
        "await asyncio.to_thread(self._redact.value, told)",
        "told",
        ("tests/e2e/test_work.py::test_a_token_in_a_file_reaches_neither_the_model_nor_the_comment",),
    ),
    Mutant(
        "what a killed server had asked for is counted",
        "app/agent/loop.py",
        "spent = Spent.model_validate(noted) if noted else talk.spent",
        "spent = talk.spent",
        ("tests/agent/test_asking.py",),
    ),
    Mutant(
        "a request is on disk before it is sent",
        "app/agent/loop.py",
        "            if most.output:\n",
        "            if False:\n",
        ("tests/agent/test_asking.py",),
    ),
    Mutant(
        "calls that no tool takes end the work",
        "app/agent/loop.py",
        "if talk.misuses >= MAX_MISUSES:",
        "if False:",
        ("tests/agent/test_loop.py",),
    ),
    Mutant(
        "a refused account is left alone for a minute",
        "app/agent/claude.py",
        "            self._account.check()\n",
        "",
        ("tests/agent/test_claude.py",),
    ),
)
