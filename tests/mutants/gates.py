"""The mutants: what is switched off, by which edit, and the tests of which one must fail."""

from dataclasses import dataclass

FRONT_DOOR, WORK, KILL, HAPPY, TROUBLE = (
    f"tests/e2e/test_{name}.py" for name in ("front_door", "work", "kill", "happy", "trouble")
)
ACCESS = "tests/web/test_access.py"
E2B, E2B_KEPT = "tests/sandbox/test_e2b.py", "tests/sandbox/test_e2b_kept.py"
BY_PATH, RUN = "tests/runs/test_by_path.py", "tests/test_run.py"
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
        "app/runs/by_app.py",
        """        await self._allowed(
            ground.run, ground.request, "lost write access here while this ran, so nothing was published."
        )
""",
        "",
        (f"{WORK}::test_who_lost_write_access_meanwhile_publishes_nothing",),
    ),
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
        (f"{HAPPY}::test_tokens_are_for_one_repository_and_one_stage_and_revoked",),
    ),
    Mutant(
        "the clone's token is revoked",
        "app/runs/by_app.py",
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
        "app/publish/protected.py",
        'return Kept("workflow files need a person", ask=False)',
        "return None",
        (f"{WORK}::test_a_change_to_a_workflow_is_left_out_and_said",),
    ),
    Mutant(
        "no symbolic link is published",
        "app/publish/contents.py",
        'return Kept("symbolic links need a person")',
        "return None",
        ("tests/publish/test_changes.py",),
    ),
    Mutant(
        "an approval is of exactly that content",
        "app/publish/changes.py",
        "{change.new_mode} {change.new_sha}",
        "",
        ("tests/publish/test_changes.py",),
    ),
    Mutant(
        "what is stripped can't be approved",
        "app/publish/changes.py",
        "if not found.ask}",
        "if False}",
        ("tests/publish/test_changes.py",),
    ),
    Mutant(
        "nothing that is left out is deleted by what takes its place",
        "app/publish/changes.py",
        "    kept |= _in_their_place(ordered, kept)\n",
        "",
        ("tests/publish/test_changes.py",),
    ),
    Mutant(
        "no secret of the server is published",
        "app/publish/contents.py",
        "if any(known.knows(text) for text in _texts(content)):",
        "if False:",
        ("tests/publish/test_contents.py",),
    ),
    Mutant(
        "a person is asked about what an installation would newly run or fetch",
        "app/publish/packages.py",
        "if fresh else None",
        "if False else None",
        ("tests/publish/test_packages.py",),
    ),
    Mutant(
        "commands set nothing of this machine's kernel",
        "app/sandbox/bubblewrap.py",
        '"--remount-ro", "/proc", ',
        "",
        ("tests/sandbox/test_walls.py",),
    ),
    Mutant(
        "commands read no key and open no socket that namespaces do not separate",
        "app/sandbox/bubblewrap.py",
        '"--seccomp", "9", ',
        "",
        ("tests/sandbox/test_walls.py",),
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
        "    found = await _find(github, body, head, fork)\n    if found:\n        return found\n    try",
        "    try",
        ("tests/publish/test_pull_request.py",),
    ),
    Mutant(
        "a branch of somebody else's is not gone on with",
        "app/publish/head_branch.py",
        "if not is_ours(tip):",
        "if False:",
        ("tests/publish/test_head_branch.py",),
    ),
    Mutant(
        "work goes on where it stands",
        "app/publish/commit.py",
        "goes_on = head is not None and name == request.branch and head.sha == base_sha and is_ours(head)",
        "goes_on = head is not None and name == request.branch",
        ("tests/publish/test_commit.py",),
    ),
    Mutant(
        "no branch is forced",
        "app/github/client.py",
        '{"sha": sha, "force": False}',
        '{"sha": sha, "force": True}',
        ("tests/publish/test_commit.py",),
    ),
    Mutant(
        "git follows no redirect",
        "app/runs/fetched.py",
        "http.followRedirects=false",
        "http.followRedirects=true",
        ("tests/runs/test_fetched.py",),
    ),
    Mutant(
        "what is fetched has a limit",
        "app/runs/fetched.py",
        'ulimit -f "$1"',
        "ulimit -f unlimited",
        ("tests/runs/test_fetched.py",),
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
        "the model is not told what the page hides",
        "app/agent/context.py",
        "body=markdown(request.body).text or",
        "body=request.body or",
        ("tests/agent/test_context.py",),
    ),
    Mutant(
        "comments hide behind nothing that only seems to be code",
        "app/core/comments.py",
        "end = self._fence_end(found) if self.sure and self.blocks else None",
        "end = self._fence_end(found)",
        ("tests/test_clean.py",),
    ),
    Mutant(
        "halves of secrets are taken out",
        "app/core/redact.py",
        '"…".join(map(self._without_cut, self._without_broken(s).split("…")))',
        "self._without_broken(s)",
        ("tests/test_redact.py",),
    ),
    Mutant(
        "secrets are taken out of requests",
        "app/runs/intake.py",
        "self._redact.value(asked.model_dump())",
        "asked.model_dump()",
        (f"{TROUBLE}::test_a_token_in_a_request_is_on_no_disk",),
    ),
    Mutant(
        "no command before its network policy",
        "app/sandbox/e2b_calls.py",
        "                await self._hold_to(self._policies.cloning if call.network else self._policies.afterwards)\n",
        "",
        (f"{E2B}::test_no_command_starts_before_the_network_is_closed",),
    ),
    Mutant(
        "the sandbox is looked up",
        "app/sandbox/e2b.py",
        'for found in await self._list({"run": run_id}):',
        "for found in ():",
        (
            f"{E2B}::test_one_that_was_paused_is_as_it_was",
            f"{E2B_KEPT}::test_where_it_is_gone_a_cold_one_is_made_under_another_key",
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
        "a lost connection is another question",
        "app/sandbox/e2b_calls.py",
        "                if wait is None:\n                    raise\n                await asyncio.sleep(wait)\n",
        "                raise\n",
        (f"{E2B}::test_a_command_goes_on_where_the_connection_is_lost[drop]",),
    ),
    Mutant(
        "a sandbox that sleeps is woken",
        "app/sandbox/e2b_calls.py",
        "                if wait is None:\n                    raise\n                await awake(self._box.connect)\n",
        "                if True:\n                    raise\n                await awake(self._box.connect)\n",
        (f"{E2B}::test_a_command_goes_on_where_the_connection_is_lost[pause]",),
    ),
    Mutant(
        "an end that fails is tried again",
        "app/sandbox/e2b_calls.py",
        "            await insist(self._box.kill)\n",
        "            with translated():\n                await self._box.kill()\n",
        (f"{E2B}::test_an_end_that_fails_is_tried_again",),
    ),
    Mutant(
        "another sandbox's calls are not ours",
        "app/sandbox/e2b_calls.py",
        'return f"{HOME}/.backspace/sandboxes/{self.id}"',
        'return f"{HOME}/.backspace/sandboxes/any"',
        (f"{E2B_KEPT}::test_nothing_of_the_other_ones_calls_is_left",),
    ),
    Mutant(
        "another deployment's sandboxes are not ours",
        "app/sandbox/e2b.py",
        'return {"app": "backspace", "deployment": self.deployment}',
        'return {"app": "backspace"}',
        (f"{E2B_KEPT}::test_servers_that_share_a_team_see_their_own_sandboxes_only",),
    ),
    Mutant(
        "a kept state that is gone is said",
        "app/sandbox/e2b.py",
        "if warm and refused.status_code in (400, 404):",
        "if False:",
        (f"{E2B_KEPT}::test_where_it_is_gone_a_cold_one_is_made_under_another_key",),
    ),
    Mutant(
        "room for the end is kept back",
        "app/sandbox/keeper.py",
        "os.posix_fallocate(file.fileno(), 0, ROOM >> halved)",
        "pass",
        ("tests/sandbox/test_e2b_faults.py",),
    ),
    Mutant(
        "a key for some repositories",
        "app/web/code.py",
        "if repository is None or not key.may_name(repository):",
        "if repository is None:",
        (f"{ACCESS}::test_a_key_for_some_repositories_neither_starts_nor_sees_others",),
    ),
    Mutant(
        "pages of other sites",
        "app/web/keys.py",
        "if any(not origin or origin.lower() not in own for origin in origins):",
        "if False:",
        (f"{ACCESS}::test_a_key_in_the_hands_of_another_sites_page_does_nothing",),
    ),
    Mutant(
        "the name of this machine",
        "app/web/keys.py",
        "if not _LOCAL_HOST.fullmatch(",
        "if False and not _LOCAL_HOST.fullmatch(",
        (f"{ACCESS}::test_without_keys_only_programs_on_this_machine_are_served",),
    ),
    Mutant(
        "who posts again starts nothing",
        "app/web/code.py",
        'if last := request.headers.get("Last-Event-ID", ""):',
        'if last := "":',
        ("tests/web/test_code.py::test_a_client_that_posts_again_starts_nothing",),
    ),
    Mutant(
        "readers that left are let go",
        "app/web/sse.py",
        "while part is not None and request.transport is not None:",
        "while part is not None:",
        ("tests/web/test_streams.py::test_a_thousand_readers_that_hang_up_leave_nothing_behind",),
    ),
    Mutant(
        "the network is closed again after a pause",
        "app/sandbox/e2b_calls.py",
        "                await awake(self._box.connect)\n                self._policies.known.pop(self.id, None)\n",
        "                await awake(self._box.connect)\n",
        (f"{E2B}::test_after_a_pause_the_network_is_closed_again",),
    ),
    Mutant(
        "no hook of a folder runs",
        "app/runs/by_path.py",
        '"-c", "core.hooksPath=/dev/null", ',
        "",
        (f"{BY_PATH}::test_exactly_what_was_checked_becomes_a_branch_and_nothing_else_changes",),
    ),
    Mutant(
        "a folder gets the tree that was checked",
        "app/runs/by_path.py",
        "if tree != work.tree:",
        "if False:",
        (f"{BY_PATH}::test_a_tree_that_was_not_checked_is_not_published",),
    ),
    Mutant(
        "a branch of somebody's in a folder stays",
        "app/runs/by_path.py",
        "head.parents == (ground.base,) and head.is_of(ground.request)",
        "head.parents == (ground.base,)",
        (f"{BY_PATH}::test_a_branch_of_that_name_stays_and_ours_gets_another",),
    ),
    Mutant(
        "a repository's .env sets nothing",
        "app/run_here.py",
        "load(env_file=None, kind=RunAlone)",
        "load(kind=RunAlone)",
        (f"{RUN}::test_a_folder_gets_a_branch_and_nothing_else_of_it_changes",),
    ),
    Mutant(
        "one process for a run on the command line",
        "app/run_folders.py",
        "    if _busy(folder):\n        raise",
        "    if False:\n        raise",
        (f"{RUN}::test_a_run_s_folder_is_found_by_what_was_asked_and_has_one_process",),
    ),
    Mutant(
        "a task asked of a server is begun once",
        "app/run_there.py",
        'else {"Idempotency-Key": self._once}',
        "else {}",
        (f"{RUN}::test_a_task_is_begun_once_although_the_first_answer_was_lost",),
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
