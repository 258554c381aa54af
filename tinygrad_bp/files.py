"""Writing a file whole or not at all, and never over another unasked; and naming the file that failed."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        raise type(error)(f"cannot {doing} {str(file)!r}: {error.strerror or error}") from None


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
    with naming(file, "write"):
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with naming(file, "write"):
            with os.fdopen(handle, "wb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)  # mkstemp makes it readable for its owner alone
            if overwrite:
                Path(name).replace(path)
            else:
                _give_name(name, path)
    except FileExistsError:
        raise _exists(file) from None
    finally:
        Path(name).unlink(missing_ok=True)


def check_free(file: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse a file that could not be written, before the work whose result shall go there.

    Raises:
        FileExistsError: the file exists and ``overwrite`` is false.
        FileNotFoundError: there is no such folder, or the name is empty.
        IsADirectoryError: it is a folder.

    >>> check_free("no-such-folder/net.json", overwrite=False)
    Traceback (most recent call last):
        ...
    FileNotFoundError: cannot write 'no-such-folder/net.json': there is no folder 'no-such-folder'
    """
    if not os.fspath(file):
        raise FileNotFoundError("cannot write to a file without a name: give it one")
    folder = Path(file).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"cannot write {str(file)!r}: there is no folder {str(folder)!r}")
    if Path(file).is_dir():
        raise IsADirectoryError(f"cannot write {str(file)!r}: it is a folder; give a file in it")
    if not overwrite and os.path.lexists(file):
        raise _exists(file)


def _exists(file: str | os.PathLike[str]) -> FileExistsError:
    return FileExistsError(
        f"{str(file)!r} exists already: choose another name, or allow overwriting"
    )


def _give_name(temporary: str, path: Path) -> None:
    """Rename without replacing: a link fails where a file has appeared meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError from None
        Path(temporary).rename(path)
