"""Files are written whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
import stat
import threading
import time

import pytest

from tinygrad_bp.files import read_whole, write_atomically


def test_text_and_bytes_with_the_permissions_of_a_plain_open(tmp_path):
    write_atomically(tmp_path / "a", "é", overwrite=False)
    write_atomically(tmp_path / "b", b"\x00", overwrite=False)
    (tmp_path / "plain").touch()
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b", "plain")}
    assert modes["a"] == modes["b"] == modes["plain"]
    assert (tmp_path / "a").read_bytes() == "é".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00"


def test_an_existing_file_is_left_as_it_was(tmp_path):
    file = tmp_path / "a"
    file.write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        write_atomically(file, "new", overwrite=False)
    assert file.read_text() == "mine"
    write_atomically(file, "new", overwrite=True)
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_and_a_file_without_a_name_are_called_what_they_are(tmp_path, overwrite):
    with pytest.raises(IsADirectoryError, match="it is a folder; give a file in it"):
        write_atomically(tmp_path, "new", overwrite=overwrite)
    with pytest.raises(FileNotFoundError, match="without a name"):
        write_atomically("", "new", overwrite=overwrite)


def test_a_file_that_appears_meanwhile_is_left_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("mine")
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(FileExistsError):
        write_atomically(file, "new", overwrite=False)
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_a_dangling_link_is_not_written_through(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        write_atomically(link, "new", overwrite=False)
    assert list(tmp_path.iterdir()) == [link]


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_no_partial_file_is_left_behind(tmp_path, monkeypatch, step):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    target = "os.fsync" if step == "fsync" else "tinygrad_bp.files._give_name"
    monkeypatch.setattr(target, fail)
    with pytest.raises(OSError, match=r"cannot write .*No space left"):
        write_atomically(tmp_path / "a", "new", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def unsupported(*_):
    raise OSError(95, "Operation not supported")


@pytest.fixture(params=["no link in os", "no links on the file system"])
def without_links(request, monkeypatch):
    if request.param == "no link in os":  # as in Pyodide
        monkeypatch.delattr(os, "link")
    else:  # as on FAT
        monkeypatch.setattr(os, "link", unsupported)


@pytest.mark.usefixtures("without_links")
def test_without_links_the_file_is_renamed(tmp_path):
    write_atomically(tmp_path / "a", "new", overwrite=False)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "a", "newer", overwrite=False)
    assert (tmp_path / "a").read_text() == "new"
    write_atomically(tmp_path / "a", "newest", overwrite=True)
    assert (tmp_path / "a").read_text() == "newest"


@pytest.mark.usefixtures("without_links")
def test_without_links_no_partial_file_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.rename", unsupported)
    with pytest.raises(OSError, match="cannot write"):
        write_atomically(tmp_path / "a", "new", overwrite=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_links")
def test_without_links_a_file_that_appears_meanwhile_is_left_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "a"

    def meanwhile(descriptor):
        file.write_text("mine")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(FileExistsError, match="exists already"):
        write_atomically(file, "new", overwrite=False)
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_the_umask_is_left_alone(tmp_path, monkeypatch):
    def touched(mask):  # it is the whole process's, other threads' too
        raise AssertionError(mask)

    monkeypatch.setattr(os, "umask", touched)
    write_atomically(tmp_path / "a", "new", overwrite=False)


def test_a_folder_or_a_device_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for special in (tmp_path, pipe):
        with pytest.raises(
            (FileExistsError, IsADirectoryError), match=r"no plain file|is a folder"
        ):
            write_atomically(special, "new", overwrite=True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_file_is_read_whole_or_refused(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_whole(file, largest=5) == b"12345"
    with pytest.raises(OSError, match=r"cannot read .*a': it is larger than"):
        read_whole(file, largest=4)
    with pytest.raises(OSError, match="cannot read '/dev/zero': it is larger than 16 MB"):
        read_whole("/dev/zero")
    with pytest.raises(IsADirectoryError, match="cannot read"):
        read_whole(tmp_path)


def test_a_pipe_is_read_to_its_end_and_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert read_whole(pipe) == b""
    reader, writer = os.pipe()

    def write():
        time.sleep(0.1)  # an open pipe is waited for, however slow
        os.write(writer, b"slow")
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_whole(f"/dev/fd/{reader}") == b"slow"
    thread.join()
    os.close(reader)


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*a': there is no folder .*none'"):
        write_atomically(tmp_path / "none" / "a", "new", overwrite=False)
