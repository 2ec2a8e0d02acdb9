"""A filter of system calls (seccomp): after it a process can compute, and talk over the sockets that it has open.

Everything else - other processes' memory and signals among it, files, new sockets, new processes - is answered with
EPERM by the kernel. The filter is a list of what is allowed, so a call that a later kernel adds is refused as well.
Numbers: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_FILTER = 2  # SECCOMP_MODE_FILTER
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_X32 = 0x40000000  # numbers from here on are calls of another table of x86-64

# name: (on x86-64, on arm64); None where the machine has no such call.
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "close": (3, 57),
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "shutdown": (48, 210),
    "poll": (7, None), "ppoll": (271, 73), "lseek": (8, 62), "fstat": (5, 80),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "madvise": (28, 233), "membarrier": (324, 283),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "setitimer": (38, 103), "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "restart_syscall": (219, 128),
    "clock_gettime": (228, 113), "gettimeofday": (96, 169), "getrusage": (98, 165), "sched_yield": (24, 124),
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "getrandom": (318, 278),
    "getpid": (39, 172), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
_TGKILL = (234, 131)  # of this process alone: `abort` ends itself by it
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # AUDIT_ARCH_*, column above


def close_to_others() -> str:
    """Let no other process of this user look into this one, nor trace it; say why not, or nothing."""
    return _prctl(_PR_SET_DUMPABLE, 0)


def allow_computing_only() -> str:
    """Put the filter in place, for good; say why it could not be, or nothing."""
    if (machine := _MACHINES.get(platform.machine())) is None:
        return f"no filter of system calls is written for a {platform.machine() or 'machine of this kind'}"
    program = _program(*machine, os.getpid())
    text = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _prctl(_PR_SET_SECCOMP, _FILTER, described)


def _program(machine: int, column: int, pid: int) -> bytes:
    """Make the filter as the kernel's BPF instructions of 8 bytes: code, jump if true, jump if false, value."""
    numbers = sorted(number for row in _ALLOWED.values() if (number := row[column]) is not None)
    steps = [
        *((_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _KILL)),
        *((_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)),
    ]
    for number in numbers:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    steps += [
        *((_EQUAL, 0, 3, _TGKILL[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT)),
        *((_EQUAL, 0, 1, pid), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _prctl(option: int, *values: int | bytes) -> str:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(option, *(value if isinstance(value, bytes) else ctypes.c_ulong(value) for value in values)) == 0:
            return ""
    except (OSError, AttributeError):
        return "this system has no prctl"
    return f"prctl({option}) was refused: {os.strerror(ctypes.get_errno())}"
