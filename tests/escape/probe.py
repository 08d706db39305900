"""Runs as a command of an agent and tries to get out, harmlessly; writes what came of each try to result.json.

Standard library only. `PLACES` is what the test put on the host for this to be found.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable

PLACES = json.loads(sys.argv[1])
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
NUMBERS: dict[str, int] = {
    "x86_64": {
        "ptrace": 101,
        "process_vm_readv": 310,
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "umount2": 166,
        "pivot_root": 155,
        "chroot": 161,
        "add_key": 248,
        "keyctl": 250,
        "bpf": 321,
        "perf_event_open": 298,
        "kexec_load": 246,
        "init_module": 175,
        "userfaultfd": 323,
        "clone": 56,
        "open_by_handle_at": 304,
        "swapon": 167,
        "reboot": 169,
        "syslog": 103,
        "x32_getpid": 0x40000000 + 39,
    },
    "aarch64": {
        "ptrace": 117,
        "process_vm_readv": 270,
        "unshare": 97,
        "setns": 268,
        "mount": 40,
        "umount2": 39,
        "pivot_root": 41,
        "chroot": 51,
        "add_key": 217,
        "keyctl": 219,
        "bpf": 280,
        "perf_event_open": 241,
        "kexec_load": 104,
        "init_module": 105,
        "userfaultfd": 282,
        "clone": 220,
        "open_by_handle_at": 265,
        "swapon": 224,
        "reboot": 142,
        "syslog": 116,
    },
}[os.uname().machine] | {"clone3": 435, "fsopen": 430, "io_uring_setup": 425, "pidfd_getfd": 438, "open_tree": 428}


def tries(what: Callable[..., object], *words: object) -> str:
    """The name of the error that a try ends in, or "done"."""
    try:
        what(*words)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def call(name: str, *words: int | bytes | None) -> str:
    """Make a system call whose arguments are meant to be refused, or to be nonsense."""
    if name not in NUMBERS:
        return "ENOSYS"
    ctypes.set_errno(0)
    made = LIBC.syscall(
        ctypes.c_long(NUMBERS[name]), *[ctypes.c_long(word) if isinstance(word, int) else word for word in words]
    )
    if name == "clone" and made == 0:
        os._exit(0)
    return "done" if made >= 0 else errno.errorcode[ctypes.get_errno()]


def read(path: str, count: int = 4096) -> bytes:
    with open(path, "rb") as file:
        return file.read(count)


def content(path: str) -> str:
    """What can be read of a file; empty if nothing."""
    try:
        return read(path).decode(errors="replace")
    except OSError:
        return ""


def connect(family: int, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)  # type: ignore[arg-type]


def write(path: str, text: str = "x") -> None:
    with open(path, "w") as file:
        file.write(text)


def write_back(path: str) -> None:
    write(path, content(path).strip() or "0")


def open_to_write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY))


def socket_of(family: int, kind: int = socket.SOCK_STREAM) -> None:
    socket.socket(family, kind).close()


def others() -> dict[str, dict[str, str]]:
    """What of other processes can be seen, and read."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (os.getpid(), os.getppid()):
            tried = {what: tries(read, f"/proc/{name}/{what}", 64) for what in ("environ", "mem", "maps", "auxv")}
            tried |= {what: tries(os.readlink, f"/proc/{name}/{what}") for what in ("root", "cwd", "exe")}
            found[name] = tried | {"fd": tries(os.listdir, f"/proc/{name}/fd"), "kill": tries(os.kill, int(name), 0)}
    return found


status = dict(line.split(":", 1) for line in content("/proc/self/status").splitlines())
seen = {
    "uid": os.getuid(),
    "status": {key: value.strip() for key, value in status.items()},
    "environ": dict(os.environ),
    "others": others(),
    "limits": {
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "processes": resource.getrlimit(resource.RLIMIT_NPROC),
    },
    "change": {
        path: tries(write_back, path)
        for path in (
            "/proc/sys/vm/swappiness",
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/hostname",
            "/proc/sys/net/ipv4/ip_forward",
            "/proc/sys/fs/file-max",
            "/proc/sys/kernel/ns_last_pid",
        )
    },
    "open": {
        path: tries(open_to_write, path)
        for path in (
            "/proc/sysrq-trigger",
            "/proc/irq/default_smp_affinity",
            "/proc/1/oom_score_adj",
            "/proc/1/uid_map",
            "/sys/kernel/uevent_helper",
            "/dev/mem",
            "/dev/kmem",
            "/dev/kmsg",
            "/dev/port",
            "/dev/fuse",
            "/dev/kvm",
        )
    },
    "read": {
        path: content(path)
        for path in (
            "/proc/kcore",
            "/proc/keys",
            "/proc/kmsg",
            "/proc/timer_list",
            "/proc/sched_debug",
            "/proc/latency_stats",
            "/etc/shadow",
            "/root/.ssh/id_rsa",
            *PLACES["files"],
        )
    },
    "list": {
        path: sorted(os.listdir(path)) if os.path.isdir(path) else None
        for path in (
            "/proc/acpi",
            "/proc/scsi",
            "/proc/asound",
            "/sys",
            "/run/hive",
            "/agent/state",
            "/agent/state/runs/7",
            "/home",
            "/dev",
        )
    },
    "write": {
        path: tries(write, path + "/x")
        for path in (
            "/",
            "/usr",
            "/etc",
            "/dev",
            "/opt/hive/hive/agent",
            "/agent/config",
            "/agent",
            "/run",
            "/agent/state",
            "/proc",
        )
    },
    "allowed": {path: tries(write, path + "/x") for path in (".", "/tmp", "/dev/shm", os.environ["HOME"])},
    "links": sorted(name for _, name in socket.if_nameindex()),
    "connect": {
        "tcp": tries(connect, socket.AF_INET, ("127.0.0.1", PLACES["port"])),
        "elsewhere": tries(connect, socket.AF_INET, ("192.0.2.1", 80)),
        "abstract": tries(connect, socket.AF_UNIX, "\0" + PLACES["abstract"]),
        **{path: tries(connect, socket.AF_UNIX, path) for path in (*PLACES["sockets"], "/run/hive/forge.sock")},
    },
    "socket": {
        "vsock": tries(socket_of, 40),
        "alg": tries(socket_of, 38),
        "key": tries(socket_of, 15, socket.SOCK_RAW),
        "packet": tries(socket_of, 17, socket.SOCK_RAW),
        "raw": tries(socket_of, 2, socket.SOCK_RAW),
        "bluetooth": tries(socket_of, 31),
    },
    "kill": {"host": tries(os.kill, PLACES["pid"], 0), "init": tries(os.kill, 1, 9)},
    "become": {
        "root": tries(os.setuid, 0),
        "harness": tries(os.setuid, 1000) if os.getuid() != 1000 else "EPERM",
        "group": tries(os.setgroups, [0]),
        "chown": tries(os.chown, ".", 0, 0),
    },
    "mknod": {
        "null": tries(os.mknod, "null", 0o20666, os.makedev(1, 3)),
        "disk": tries(os.mknod, "disk", 0o60666, os.makedev(8, 0)),
    },
    "calls": {
        "ptrace": call("ptrace", 16, 1, 0, 0),
        "process_vm_readv": call("process_vm_readv", 1, 0, 0, 0, 0, 0),
        "pidfd_getfd": call("pidfd_getfd", 0, 0, 0),
        **{
            f"unshare {flag:#x}": call("unshare", flag)
            for flag in (
                0x10000000,
                0x20000,
                0x20000000,
                0x40000000,
                0x8000000,
                0x4000000,
                0x2000000,
                0x80,
            )
        },
        "clone": call("clone", 0x10000000 | 17, 0, 0, 0, 0),
        "setns": call("setns", 0, 0),
        "mount": call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None),
        "remount": call("mount", b"", b"/proc/sys", b"", 4096 | 32, None),
        "umount": call("umount2", b"/proc/sys", 0),
        "uncover": call("umount2", b"/agent/state", 2),
        "pivot_root": call("pivot_root", b"/", b"/"),
        "chroot": call("chroot", b"/tmp"),
        "fsopen": call("fsopen", b"tmpfs", 0),
        "open_tree": call("open_tree", -100, b"/", 1),
        **{
            name: call(name, 0, 0, 0, 0, 0)
            for name in (
                "add_key",
                "keyctl",
                "bpf",
                "perf_event_open",
                "kexec_load",
                "init_module",
                "userfaultfd",
                "open_by_handle_at",
                "swapon",
                "reboot",
                "syslog",
            )
        },
    },
    "unknown": {name: call(name, 0, 0) for name in ("clone3", "io_uring_setup", "x32_getpid")},
    "terminal": tries(fcntl.ioctl, 0, 0x5412, b"x"),
    "namespaces": content("/proc/sys/user/max_user_namespaces"),
    "setuid": subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "x", "/tmp"], capture_output=True).returncode,
}
with open("result.json", "w") as file:
    json.dump(seen, file)
