"""What every server process does to itself before it reads a secret.

Promises: no core dump, and no look into its memory by other processes of the same user (`ptrace`,
`/proc/PID/mem`). Plaintext lives in memory only; this keeps it from being written out by the kernel.
Source: prctl(2), core(5).
"""

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_OPEN_FILES = 8192


def harden() -> None:
    """Forbid core dumps and memory inspection. Raises OSError when the kernel refuses."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def raise_open_files() -> int:
    """Let this process open as many files and connections as it may ask for, 8192 at most. Returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < (most := min(hard % 2**64, _OPEN_FILES)):  # "no limit" is -1
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def end_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM when the process `parent`, which started this one, dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the line above
        raise SystemExit(1)


def _prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
