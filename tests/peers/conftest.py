"""The peers' own tests, taken from their source distributions when a test asks for them.

Nothing of theirs is kept in this repository.  pip fetches the pinned distributions once, into
pytest's cache.  Where that cannot be done the tests are skipped, with pip's own words as the
reason; where the environment variable ``CI`` is set they fail instead, so that nothing is hidden.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Distribution(NamedTuple):
    """One release of a peer, to the byte."""

    name: str
    version: str
    sha256: str

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}"

    def is_at(self, archive: Path) -> bool:
        return archive.is_file() and hashlib.sha256(archive.read_bytes()).hexdigest() == self.sha256


MICROGRAD = Distribution(
    "micrograd", "0.1.0", "81797b796bef809fb1ac3fd83a7e01e007aecb8d056fba07c0e24931e043845d"
)
AUTOGRAD = Distribution(
    "autograd", "1.9.1", "7818c5c69ddf9efb7da74097bd741a4c7920133f41966f68537223a15ef798bc"
)


@pytest.fixture(scope="session")
def micrograd_source(request, tmp_path_factory):
    """The folder of micrograd's source distribution."""
    return unpacked(MICROGRAD, request.config, tmp_path_factory)


@pytest.fixture(scope="session")
def autograd_source(request, tmp_path_factory):
    """The folder of HIPS autograd's source distribution."""
    return unpacked(AUTOGRAD, request.config, tmp_path_factory)


def unpacked(distribution, config, tmp_path_factory):
    """The folder of a source distribution, fetched if it is not in the cache."""
    room = tmp_path_factory.mktemp(distribution.name)
    cache = getattr(config, "cache", None)
    kept = (cache.mkdir("peers") if cache else room) / f"{distribution.stem}.tar.gz"
    if not distribution.is_at(kept):
        os.replace(fetched(distribution, room), kept)  # noqa: PTH105 - whole, for parallel runs too
    with tarfile.open(kept) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(room)
    return room / distribution.stem


BACKEND = '''
"""Tells pip the name and version that a source distribution states, and runs nothing of it."""
import email, pathlib, sys

def prepare_metadata_for_build_wheel(folder, settings=None):
    stated = pathlib.Path("PKG-INFO").read_bytes()
    message = email.message_from_bytes(stated)
    info = pathlib.Path(folder, f"{message['Name']}-{message['Version']}.dist-info")
    info.mkdir()
    (info / "METADATA").write_bytes(stated)
    return info.name

__legacy__ = sys.modules[__name__]
'''
"""pip asks the build backend of whatever it downloads for its metadata, which would install that
backend and run the project's ``setup.py``.  This one stands before the real ones on the path."""


def fetched(distribution, room):
    """The archive, downloaded by pip into the room."""
    for backend in ("setuptools/build_meta.py", "hatchling/build.py"):
        file = room / "backends" / backend
        file.parent.mkdir(parents=True)
        file.with_name("__init__.py").touch()
        file.write_text(BACKEND)
    options = "--no-deps --no-binary=:all: --no-build-isolation --retries=1 --timeout=15"
    command = [sys.executable, "-m", "pip", "download", *options.split()]
    command += [f"--dest={room}", f"{distribution.name}=={distribution.version}"]
    try:
        run = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(room / "backends")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        give_up(distribution, "pip took more than a minute")
    archive = room / f"{distribution.stem}.tar.gz"
    if run.returncode or not archive.exists():
        give_up(distribution, run.stderr.strip().rpartition("\n")[2])
    if not distribution.is_at(archive):
        raise RuntimeError(f"{archive.name} is not the pinned file: its SHA-256 is another")
    return archive


def give_up(distribution, why):
    """Skip; or raise, where a skip would be overlooked."""
    message = f"the source distribution of {distribution.stem} cannot be fetched: {why}"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(message)
    raise RuntimeError(message)
