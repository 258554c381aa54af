"""Writing a file whole or not at all, and never over another unasked; and naming the file that failed."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_bp.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 16_000_000
"""So many bytes a file may have that is read: what is read takes some ten times as much memory."""


@contextmanager
def naming(file: str | os.PathLike[str], doing: str) -> Iterator[None]:
    """Tell what the system refuses in a block with the name of the file, and what was being done.

    Raises:
        OSError: of the kind that it was.

    >>> with naming("net.json", "read"):
    ...     raise PermissionError(13, "Permission denied")
    Traceback (most recent call last):
        ...
    PermissionError: cannot read 'net.json': Permission denied
    """
    try:
        yield
    except OSError as error:
        raise type(error)(f"cannot {doing} {_named(file)}: {error.strerror or error}") from None


def read_whole(file: str | os.PathLike[str], *, largest: int = LARGEST) -> bytes:
    """What is in a file, or comes out of a pipe until it is closed.

    Args:
        file: which.
        largest: so many bytes it may have: what has no end, as ``/dev/zero``, would fill the memory.

    Raises:
        OSError: it cannot be read, or is larger than that.

    >>> read_whole("no-such-file")
    Traceback (most recent call last):
        ...
    FileNotFoundError: cannot read 'no-such-file': No such file or directory
    """
    with naming(file, "read"), open(Path(file), "rb", opener=_open_at_once) as stream:
        content = stream.read(largest + 1)
        if len(content) > largest:
            raise OSError(errno.EFBIG, f"it is larger than {largest // 1_000_000} MB")
        return content


def _open_at_once(file: str, flags: int) -> int:
    """Open a file that is only read; a pipe that nobody writes to is then empty, and not waited for."""
    descriptor = os.open(file, flags | getattr(os, "O_NONBLOCK", 0))
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(descriptor, True)
    return descriptor


def write_atomically(
    file: str | os.PathLike[str], content: str | bytes, *, overwrite: bool
) -> None:
    """Write the content under a temporary name beside the file, then give it its name at once.

    Args:
        file: where to write; its folder must exist.
        content: text, written as UTF-8, or bytes.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileExistsError: the file exists and ``overwrite`` is false; it is left as it was.
        OSError: the folder is missing or cannot be written.  No partial file is left behind.
    """
    check_free(file, overwrite=overwrite)
    path = Path(file)
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with naming(file, "write"):
            with temporary.open("xb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
                stream.flush()
                os.fsync(stream.fileno())  # else its name may outlive a crash, and not its content
            if overwrite:
                temporary.replace(path)
            else:
                _give_name(temporary, path)
    except FileExistsError:
        raise _exists(file) from None
    finally:
        temporary.unlink(missing_ok=True)


def check_free(file: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse a file that could not be written, before the work whose result shall go there.

    Raises:
        FileExistsError: the file exists and ``overwrite`` is false, or it is a device.
        FileNotFoundError: there is no such folder, or the name is empty.
        IsADirectoryError: it is a folder.

    >>> check_free("no-such-folder/net.json", overwrite=False)
    Traceback (most recent call last):
        ...
    FileNotFoundError: cannot write 'no-such-folder/net.json': there is no folder 'no-such-folder'
    """
    if not os.fspath(file):
        raise FileNotFoundError("cannot write to a file without a name: give it one")
    path = Path(file)
    with naming(file, "write"):
        folder_exists, taken = path.parent.is_dir(), os.path.lexists(path)
        special = taken and path.exists() and not path.is_file()
    if not folder_exists:
        raise FileNotFoundError(
            f"cannot write {_named(file)}: there is no folder {_named(path.parent)}"
        )
    if special and path.is_dir():
        raise IsADirectoryError(f"cannot write {_named(file)}: it is a folder; give a file in it")
    if taken and not overwrite:
        raise _exists(file)
    if special:  # a device, whose place no file should take
        raise FileExistsError(f"{_named(file)} is no plain file: choose another name")


def _exists(file: str | os.PathLike[str]) -> FileExistsError:
    return FileExistsError(
        f"{_named(file)} exists already: choose another name, or allow overwriting"
    )


def _named(file: str | os.PathLike[str]) -> str:
    return quoted(os.fspath(file), 120)


def _give_name(temporary: Path, path: Path) -> None:
    """Rename without replacing: a link fails where a file has appeared meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except (OSError, AttributeError):  # a file system, or a Python, without links
        if os.path.lexists(path):
            raise FileExistsError from None
        temporary.rename(path)
