"""What children that a model forks must not keep: the lock that says that the process lives, and its sockets.

A child that outlives the process would else hold them open: nobody could start the next process, and no client would
see that this one has ended. Programs that are executed inherit none of them anyway.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_hidden_descriptors: set[int] = set()


def register_fork_handler() -> None:
    """Hide the descriptors from every later fork. Called once, by the model process."""
    os.register_at_fork(after_in_child=_replace_hidden_descriptors)


@contextmanager
def hide_from_forks(descriptor: int) -> Iterator[None]:
    """The descriptor is this process's alone while the block lasts."""
    _hidden_descriptors.add(descriptor)
    try:
        yield
    finally:
        _hidden_descriptors.discard(descriptor)


def _replace_hidden_descriptors() -> None:
    """Keep their numbers in use: a file of the child would get a free number, and would be closed."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in _hidden_descriptors:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)
