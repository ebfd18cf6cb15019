"""What an installation would newly run or fetch."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a person is asked about what an installation would newly run or fetch",
        "app/publish/packages.py",
        "if fresh else None",
        "if False else None",
        ("tests/publish/test_packages.py",),
    ),
    Mutant(
        "a manifest that can't be read is asked about",
        "app/publish/packages.py",
        '        return "it can\'t be read as what its name says"\n',
        "        return None\n",
        ("tests/publish/test_packages.py::test_what_would_take_a_parser_long_is_not_parsed",),
    ),
    Mutant(
        "a script at installation is asked about",
        "app/publish/packages.py",
        'if at[0] == "scripts" and scripts.fullmatch("".join(at[1:2])):',
        "if False:",
        ("tests/publish/test_packages.py::test_what_an_installation_would_newly_run_or_fetch_is_said",),
    ),
    Mutant(
        "packages from elsewhere are asked about",
        "app/publish/packages.py",
        'if at[0] in _NPM_PACKAGES and (":" in value or "/" in value) and not value.startswith(_INSIDE):',
        "if False:",
        ("tests/publish/test_packages.py::test_what_an_installation_would_newly_run_or_fetch_is_said",),
    ),
    Mutant(
        "an install script of a dependency is asked about",
        "app/publish/packages.py",
        'if at[-1:] == ("hasInstallScript",) and value != "False":',
        "if False:",
        ("tests/publish/test_packages.py::test_what_an_installation_would_newly_run_or_fetch_is_said",),
    ),
    Mutant(
        "a build hook is asked about",
        "app/publish/packages.py",
        "if _TOML_HOOKS.match(where):",
        "if False:",
        ("tests/publish/test_packages.py::test_what_an_installation_would_newly_run_or_fetch_is_said",),
    ),
    Mutant(
        "addresses in TOML are asked about",
        "app/publish/packages.py",
        "        if _TOML_PACKAGES.match(where):\n",
        "        if False:\n",
        ("tests/publish/test_packages.py::test_what_an_installation_would_newly_run_or_fetch_is_said",),
    ),
    Mutant(
        "a replaced module is asked about",
        "app/publish/packages.py",
        '    for line in _REPLACED.findall(content.decode("utf-8", "replace")):\n',
        "    for line in ():\n",
        ("tests/publish/test_packages.py::test_what_an_installation_would_newly_run_or_fetch_is_said",),
    ),
    Mutant(
        "a code host is no registry",
        "app/publish/packages.py",
        "return address if host in _CODE_HOSTS or not host else",
        "return address if not host else",
        ("tests/publish/test_packages.py::test_another_repository_of_a_host_of_code_is_another_source",),
    ),
    Mutant(
        "what takes a parser long is not parsed",
        "app/publish/packages.py",
        'if len(content) > _TOML_BYTES or any(line.count(b".") > _TOML_DOTS for line in content.splitlines()):',
        "if False:",
        ("tests/publish/test_packages.py::test_what_would_take_a_parser_long_is_not_parsed",),
    ),
)
