"""The mutants: what is switched off, by which edit, and the tests of which one must fail."""

from dataclasses import dataclass

FRONT_DOOR, WORK, KILL, HAPPY, TROUBLE = (
    f"tests/e2e/test_{name}.py" for name in ("front_door", "work", "kill", "happy", "trouble")
)
KILLED = f"{KILL}::test_killed_and_started_again"


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    """Stands exactly once in the file."""
    new: str
    tests: tuple[str, ...]
    """Arguments for pytest."""


MUTANTS = (
    Mutant(
        "signature",
        "app/web/webhook.py",
        "if not any(hmac.compare_digest(digest, claimed[1]) for digest in digests):",
        "if False:",
        (f"{FRONT_DOOR}::test_what_is_not_signed_is_refused",),
    ),
    Mutant(
        "bots start nothing",
        "app/trigger/policy.py",
        'if said.sender.type != "User" or comment.user is None or said.sender.id != comment.user.id:',
        "if comment.user is None:",
        ("tests/trigger",),
    ),
    Mutant(
        "permission of who asks",
        "app/runs/intake.py",
        '"allowed": same and may_start(permission.level)',
        '"allowed": True',
        (f"{FRONT_DOOR}::test_without_write_access_nothing_starts",),
    ),
    Mutant(
        "permission before publishing",
        "app/runs/publishing.py",
        "        await self._still_allowed(ground)\n",
        "",
        (f"{WORK}::test_who_lost_write_access_meanwhile_publishes_nothing",),
    ),
    Mutant(
        "tokens are for one repository",
        "app/github/tokens.py",
        'narrowed = {"repository_ids": [key.repository_id], "permissions": dict(key.permissions)}',
        'narrowed = {"permissions": dict(key.permissions)}',
        ("tests/github",),
    ),
    Mutant(
        "tokens are for one stage",
        "app/github/tokens.py",
        '"permissions": dict(key.permissions)}',
        "}",
        (f"{HAPPY}::test_tokens_are_for_one_repository_and_one_stage_and_revoked",),
    ),
    Mutant(
        "the clone's token is revoked",
        "app/runs/stages.py",
        "            await self._app.tokens.revoke_token(token)\n",
        "            pass\n",
        (f"{WORK}::test_the_clone_token_is_revoked_before_the_first_turn",),
    ),
    Mutant(
        "a cut reply is discarded",
        "app/agent/reply.py",
        "if not (self.over and self.stop_reason) or self._open:",
        "if False:",
        (f"{WORK}::test_a_reply_cut_in_a_tool_call_is_asked_again_and_never_run",),
    ),
    Mutant(
        "a call whose end was lost is not run again",
        "app/sandbox/keeper.py",
        '    durably("call.json", json.dumps({"argv": request["command"], "at": time.time()}).encode())\n',
        "",
        ("tests/sandbox/test_contract.py",),
    ),
    Mutant(
        "workflow files are left out",
        "app/publish/changes.py",
        'return "workflow files need a person"',
        "return None",
        (f"{WORK}::test_a_change_to_a_workflow_is_left_out_and_said",),
    ),
    Mutant(
        "no symbolic link is published",
        "app/publish/changes.py",
        'return "symbolic links need a person"',
        "return None",
        ("tests/publish/test_changes.py",),
    ),
    Mutant(
        "what is published is what was checked",
        "app/publish/commit.py",
        "if tree != expected:",
        "if False:",
        ("tests/publish/test_commit.py",),
    ),
    Mutant(
        "failing checks go back to the model",
        "app/runs/checking.py",
        "again = mend and bool(failing) and by is None",
        "again = False",
        (f"{WORK}::test_a_failing_check_goes_back_to_the_model_and_is_mended",),
    ),
    Mutant(
        "the status comment is looked up",
        "app/runs/comments.py",
        "if found is None:",
        "if True:",
        (f"{KILLED}[comment posted, not recorded]",),
    ),
    Mutant(
        "the branch is looked up",
        "app/publish/commit.py",
        "if head.tree == expected_tree and head.parents == (base_sha,) and _is_of(request, head):",
        "if made:",
        (f"{KILLED}[branch made, not recorded]",),
    ),
    Mutant(
        "the pull request is looked up",
        "app/publish/pull_request.py",
        "    found = await github.pull_for(head)\n    if found:\n        return found\n    if",
        "    if",
        ("tests/publish/test_pull_request.py",),
    ),
    Mutant(
        "secrets are taken out of results",
        "app/agent/loop.py",
        "self._redact.value(told)",
        "told",
        (f"{WORK}::test_a_token_in_a_file_reaches_neither_the_model_nor_the_comment",),
    ),
    Mutant(
        "edits are coalesced",
        "app/runs/comments.py",
        "if written.lock.locked() or since < BETWEEN_EDITS:",
        "if written.lock.locked():",
        (f"{WORK}::test_no_two_edits_of_a_running_comment_within_ten_seconds",),
    ),
    Mutant(
        "a check that the change broke is red",
        "app/runs/checking.py",
        "if self.ran or (self.code is not None and ran_on_base):",
        "if self.ran:",
        (f"{TROUBLE}::test_a_check_that_the_change_takes_away_is_red",),
    ),
    Mutant(
        "secrets are taken out of requests",
        "app/runs/intake.py",
        "self._redact.value(asked.model_dump())",
        "asked.model_dump()",
        (f"{TROUBLE}::test_a_token_in_a_request_is_on_no_disk",),
    ),
)
