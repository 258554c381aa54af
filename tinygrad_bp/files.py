"""Writing a file whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


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
    path = Path(file)
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise type(error)(f"cannot write {str(path)!r}: {error.strerror}") from None
    try:
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
        raise _exists(path) from None
    except OSError as error:
        raise type(error)(f"cannot write {str(path)!r}: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def check_free(file: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse a file that could not be written, before the work whose result shall go there.

    Raises:
        FileExistsError: the file exists and ``overwrite`` is false.
        FileNotFoundError: there is no such folder.

    >>> check_free("no-such-folder/net.json", overwrite=False)
    Traceback (most recent call last):
        ...
    FileNotFoundError: cannot write 'no-such-folder/net.json': there is no folder 'no-such-folder'
    """
    folder = Path(file).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"cannot write {str(file)!r}: there is no folder {str(folder)!r}")
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
