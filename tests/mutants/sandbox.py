"""The local sandbox, and git in any."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a call whose end was lost is not run again",
        "app/sandbox/keeper.py",
        '    durably("call.json", json.dumps({"argv": request["command"], "at": time.time()}).encode())\n',
        "",
        ("tests/sandbox/test_contract.py",),
    ),
    Mutant(
        "room for the end is kept back",
        "app/sandbox/keeper.py",
        "os.posix_fallocate(file.fileno(), 0, ROOM >> halved)",
        "pass",
        ("tests/sandbox/test_e2b_faults.py",),
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
)
