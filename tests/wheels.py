"""Wheels of what is installed here, for an environment that is made without a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

MOST_BYTES = 24 << 20
"""Larger ones are single programs, which are found on PATH as well."""

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheels(names: Iterable[str], into: Path) -> str:
    """Write a wheel for each distribution that is installed; returns the text of a lock file with their hashes."""
    lines = []
    for name in names:
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for another system
            continue
        wheel = _wheel(found, into)
        if wheel is not None:
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name}=={found.version} --hash=sha256:{digest}\n")
    return "".join(lines)


def locked_names(lock: Path) -> list[str]:
    """The distributions that a lock file names."""
    return [line.partition("==")[0] for line in lock.read_text().splitlines() if line[:1].isalnum() and "==" in line]


def _wheel(found: Distribution, into: Path) -> Path | None:
    files = {str(file): Path(str(file.locate())) for file in found.files or ()}
    kept = {
        name: path
        for name, path in files.items()
        if not name.startswith("..") and not name.endswith((".pyc", "/RECORD", "/INSTALLER", "/REQUESTED"))
    }
    if sum(path.stat().st_size for path in kept.values()) > MOST_BYTES:
        return None
    info = next(name for name in files if name.endswith(".dist-info/RECORD")).removesuffix("RECORD")
    place = into / f"{info.removesuffix('.dist-info/')}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(place, "w") as wheel:
        contents = {name: path.read_bytes() for name, path in kept.items()} | {f"{info}WHEEL": WHEEL.encode()}
        for name, content in contents.items():
            wheel.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        wheel.writestr(f"{info}RECORD", "".join([*record, f"{info}RECORD,,\n"]))
    return place
