"""Files are written whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
import stat

import pytest

from tinygrad_bp.files import write_atomically


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


@pytest.mark.parametrize("step", ["chmod", "link"])
def test_no_partial_file_is_left_behind(tmp_path, monkeypatch, step):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    target = "pathlib.Path.chmod" if step == "chmod" else "tinygrad_bp.files._give_name"
    monkeypatch.setattr(target, fail)
    with pytest.raises(OSError, match=r"cannot write .*No space left"):
        write_atomically(tmp_path / "a", "new", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_without_links_the_file_is_renamed(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    write_atomically(tmp_path / "a", "new", overwrite=False)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "a", "newer", overwrite=False)


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*a': there is no folder .*none'"):
        write_atomically(tmp_path / "none" / "a", "new", overwrite=False)
