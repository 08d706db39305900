"""Directories that an agent may write into, accessed by handle. Never follows a link.

A path is resolved by the kernel (`openat2` with `RESOLVE_BENEATH`, Linux 5.6) or, where that is not allowed,
component by component with `O_NOFOLLOW`. Anything but a directory or regular file is refused before it can
block: a fifo is opened without waiting for its other end.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from hive.agent.directory_trees import remove_tree

_OPENAT2 = 437
"""The number of the system call, the same on every architecture since Linux 5.6 (include/uapi/asm-generic/unistd.h)."""

_RESOLVE = 0x02 | 0x04 | 0x08
"""RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH (include/uapi/linux/openat2.h)."""

_MISSING = {errno.ENOSYS, errno.EPERM, errno.E2BIG}
"""How a kernel without the call answers, and a filter that does not know it (Docker before 20.10 says EPERM)."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LOOK = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class ForeignEntry(OSError):
    """Something else is where a file or directory of ours should be: a link, a fifo, a socket, a device."""


@dataclass(frozen=True, slots=True)
class DirHandle:
    """An open directory; names below it are relative, and lead nowhere else. All calls raise OSError."""

    path: Path
    fd: int

    @classmethod
    def at(cls, path: Path, *, mode: int = 0o700) -> DirHandle:
        """Open a directory whose parents are trusted, made if need be; it may be anything but a link itself."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=mode)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return DirHandle(path.parent, parent).folder(path.name, mode=mode)
        finally:
            os.close(parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.fd)

    def folder(self, name: str, *, mode: int = 0o700) -> DirHandle:
        """Open a direct subdirectory, created if missing; raises ForeignEntry if something else has its name."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=self.fd)
        try:
            handle = self._open(name, os.O_RDONLY | os.O_DIRECTORY)
        except PermissionError:
            self._let_us_in(name, mode)
            handle = self._open(name, os.O_RDONLY | os.O_DIRECTORY)
        return DirHandle(self.path / name, handle)

    def existing(self, name: str) -> DirHandle:
        """Open a directory at any depth below that is there already; raises ForeignEntry for anything else."""
        return DirHandle(self.path / name, self._open(name, os.O_RDONLY | os.O_DIRECTORY))

    def _let_us_in(self, name: str, mode: int) -> None:
        """Give a directory of ours its mode again; O_PATH needs no right on it, and changes nothing else."""
        handle = self._open(name, os.O_PATH | os.O_DIRECTORY)
        try:
            Path(f"/proc/self/fd/{handle}").chmod(mode)
        finally:
            os.close(handle)

    def open(self, name: str, flags: int, *, mode: int = 0o600) -> int:
        """A handle of a regular file below; raises ForeignEntry for anything else."""
        handle = self._open(name, flags, mode)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        raise ForeignEntry(errno.EINVAL, "not a regular file", str(self.path / name))

    def read_end(self, name: str, limit: int) -> bytes:
        """The last bytes of a file; empty if there is none."""
        try:
            handle = self.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        with os.fdopen(handle, "rb") as file:
            file.seek(max(0, os.fstat(handle).st_size - limit))
            return file.read(limit)

    def write(self, name: str, content: bytes, *, mode: int = 0o600) -> None:
        """Replace whatever has the name by a complete file, atomically; its mode is this one, whatever the umask."""
        draft = f".{name}.{secrets.token_hex(4)}"
        handle = self.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=mode)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, mode)
                file.write(content)
            os.replace(draft, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=self.fd)
            raise

    def rename(self, name: str, other: str) -> None:
        """Give a file another name; what had that is gone."""
        os.replace(name, other, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def names(self) -> list[str]:
        """What lies right below, sorted."""
        with os.scandir(self.fd) as entries:
            return sorted(entry.name for entry in entries)

    def size(self, name: str) -> int:
        """The size of what has a name, itself and not what it points to; 0 if there is nothing."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def remove(self, name: str) -> None:
        """Take away what has a name and all below it, link by link; it is no fault if there is nothing."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode):
                remove_tree(name, at=self.fd)
            else:
                os.unlink(name, dir_fd=self.fd)

    def _open(self, name: str, flags: int, mode: int = 0) -> int:
        asked = PurePosixPath(name)
        if asked.is_absolute() or ".." in asked.parts or not asked.parts or "\0" in name:
            raise ForeignEntry(errno.EINVAL, "not a name below", str(self.path / name))
        try:
            return _open_beneath(self.fd, str(asked), flags | _LOOK, mode)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EXDEV, errno.ENXIO, errno.ENODEV):
                raise ForeignEntry(error.errno, f"not ours: {error.strerror}", str(self.path / name)) from error
            raise OSError(error.errno, error.strerror, str(self.path / name)) from error


class _How(ctypes.Structure):
    """`struct open_how` of include/uapi/linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _open_beneath(folder: int, name: str, flags: int, mode: int) -> int:
    handle = openat2(folder, name, flags, mode)
    return walk(folder, name, flags, mode) if handle is None else handle


def openat2(folder: int, name: str, flags: int, mode: int) -> int | None:
    """Open a path below a directory with `openat2`; None if the kernel does not have it."""
    how = _How(flags, mode if flags & os.O_CREAT else 0, _RESOLVE)
    call = _LIBC.syscall
    call.restype = ctypes.c_long
    arguments = (ctypes.c_long(folder), ctypes.c_char_p(os.fsencode(name)), ctypes.byref(how), ctypes.c_size_t(24))
    for _ in range(100):  # EAGAIN: something was renamed during the walk, so that it proves nothing
        handle = int(call(ctypes.c_long(_OPENAT2), *arguments))
        if handle >= 0:
            return handle
        number = ctypes.get_errno()
        if number in _MISSING:
            return None
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number), name)


def walk(folder: int, name: str, flags: int, mode: int) -> int:
    """The same by one open for each component, none of which may be a link."""
    *above, last = PurePosixPath(name).parts
    here = os.dup(folder)
    try:
        for part in above:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _LOOK, dir_fd=here)
            os.close(here)
            here = below
        return os.open(last, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        os.close(here)
