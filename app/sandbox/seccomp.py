"""A filter of system calls for what no namespace separates: keyrings, sockets of virtual machines, and ways around the filter itself.

A classic BPF program, as bubblewrap takes it. The numbers are those of the kernel's <asm/unistd.h> and <linux/audit.h>.
"""

import errno
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_LOAD, _RETURN, _EQUAL, _NOT_LESS = 0x20, 0x06, 0x15, 0x35
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in `struct seccomp_data`."""
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_X32 = 0x40000000
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: what the network namespace holds. A vsock reaches the machine that this one runs on."""


@dataclass(frozen=True)
class _Machine:
    architecture: int
    sockets: tuple[int, ...]
    """socket, socketpair"""
    refused: tuple[int, ...]
    """add_key, request_key, keyctl; perf_event_open, bpf, userfaultfd; io_uring_setup, _enter, _register: no filter sees what it does."""


_MACHINES = {
    "x86_64": _Machine(0xC000003E, (41, 53), (248, 249, 250, 298, 321, 323, 425, 426, 427)),
    "aarch64": _Machine(0xC00000B7, (198, 199), (217, 218, 219, 241, 280, 282, 425, 426, 427)),
}


def program(machine: str = platform.machine()) -> bytes:
    """The filter for this kind of machine. Programs of another kind (32 bits) get ENOSYS. Raises KeyError for an unknown one."""
    it = _MACHINES[machine]
    family = [_instruction(_LOAD, _FIRST_ARGUMENT), *_any_of(_FAMILIES, _ALLOW), _fails(errno.EAFNOSUPPORT)]
    sockets = [_instruction(_EQUAL, number, 0, len(family)) + b"".join(family) for number in it.sockets]
    return b"".join([
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, it.architecture, 1, 0),
        _fails(errno.ENOSYS),
        _instruction(_LOAD, _NUMBER),
        *_any_of(it.refused, _ERROR | errno.ENOSYS),
        *sockets,
        _instruction(_NOT_LESS, _X32, 0, 1),
        _fails(errno.ENOSYS),
        _instruction(_RETURN, _ALLOW),
    ])  # fmt: skip


def _any_of(values: Sequence[int], verdict: int) -> list[bytes]:
    """For each value, two instructions: return the verdict where what was loaded is that value."""
    return [step for value in values for step in (_instruction(_EQUAL, value, 0, 1), _instruction(_RETURN, verdict))]


def _fails(error: int) -> bytes:
    return _instruction(_RETURN, _ERROR | error)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
