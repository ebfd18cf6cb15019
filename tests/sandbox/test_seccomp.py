"""The filter of system calls, run as a kernel runs it: what this machine's own kernel lacks can't be tried on it."""

import errno
import struct

import pytest

from app.sandbox.seccomp import program

ALLOWED, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 0x00050000 | errno.ENOSYS, 0x00050000 | errno.EAFNOSUPPORT
X86, ARM = (0xC000003E, 41, (248, 250, 298, 321, 425)), (0xC00000B7, 198, (217, 219, 241, 280, 425))
"""Architecture, `socket`, and calls that are refused: of keyrings, of measuring, of BPF, of io_uring."""


def verdict(filtered: bytes, architecture: int, number: int, argument: int = 0) -> int:
    """What the filter answers to one call."""
    steps = [struct.unpack_from("=HBBI", filtered, at) for at in range(0, len(filtered), 8)]
    data = struct.pack("=IIQQ", number, architecture, 0, argument)
    at = loaded = 0
    while True:
        code, if_true, if_false, value = steps[at]
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", data, value)
                at += 1
            case 0x15:
                at += 1 + (if_true if loaded == value else if_false)
            case 0x35:
                at += 1 + (if_true if loaded >= value else if_false)
            case 0x06:
                return int(value)


@pytest.mark.parametrize(("machine", "facts"), [("x86_64", X86), ("aarch64", ARM)])
def test_what_namespaces_do_not_separate_is_refused(machine: str, facts: tuple[int, int, tuple[int, ...]]) -> None:
    """Keyrings, sockets of virtual machines, and programs that the filter would not understand."""
    filtered, (architecture, socket, refused) = program(machine), facts
    assert [verdict(filtered, architecture, number) for number in refused] == [ENOSYS] * len(refused)
    assert [verdict(filtered, architecture, socket, family) for family in (1, 2, 10, 16)] == [ALLOWED] * 4
    assert [verdict(filtered, architecture, socket, family) for family in (9, 17, 38, 40)] == [EAFNOSUPPORT] * 4
    assert verdict(filtered, architecture, 63) == ALLOWED
    assert verdict(filtered, architecture, 0x40000000 | socket, 40) == ENOSYS
    assert verdict(filtered, 0x40000003, socket, 40) == ENOSYS
