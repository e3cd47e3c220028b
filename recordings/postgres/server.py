"""A private PostgreSQL server on a free loopback port, from Debian's packages.

Everything lives under one neutral folder, because the path of `pg_hba.conf` appears in the log.
PostgreSQL refuses to run as root, so as root every command goes through `runuser -u postgres`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

PREFIX = "%m [%p] %c %l %b %u@%d app=%a %v %x %e "
MARK = ".offscript-recording"

BASE_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "fsync": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "deadlock_timeout": "1s",
    "checkpoint_timeout": "30s",
}
LOG_SETTINGS = {
    "logging_collector": "on",
    "log_destination": "stderr,jsonlog",
    "log_directory": "log",
    "log_filename": "postgresql.log",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_line_prefix": PREFIX,
    "log_min_duration_statement": "0",
    "log_temp_files": "0",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_checkpoints": "on",
    "log_lock_waits": "off",
}
HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


class ServerMissingError(RuntimeError):
    """PostgreSQL is not installed where Debian puts it."""


def binaries() -> Path:
    """Return the newest versioned folder that holds `initdb`."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        raise ServerMissingError("no /usr/lib/postgresql/*/bin/initdb: install it with `apt-get install postgresql`")
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))])


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One cluster: made, started, stopped, crashed and removed by this object alone."""

    def __init__(self, base: Path, superuser_password: str) -> None:
        self.base = base
        self.data = base / "data"
        self.spool = base / "spool"
        self.log = self.data / "log" / "postgresql.log"
        self.json_log = self.data / "log" / "postgresql.json"
        self.port = free_port()
        self.has_spool = False
        self._bin = binaries()
        self._password = superuser_password

    def create(self) -> None:
        """Make the folder and the cluster; refuse a folder that is not ours."""
        if self.base.exists():
            if not (self.base / MARK).exists():
                raise RuntimeError(f"{self.base} exists and is not a recording's folder: remove it or use --base")
            self.remove()
        self.spool.mkdir(parents=True)
        (self.base / MARK).touch()
        secret = self.base / "password"
        secret.write_text(self._password + "\n")
        self.has_spool = self._mount()
        if os.geteuid() == 0:
            self._own_all()
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8",
                  "--locale=C", "--no-instructions", f"--pwfile={secret}")  # fmt: skip
        (self.data / "pg_hba.conf").write_text(HBA)
        self._configure(BASE_SETTINGS)

    def start(self) -> None:
        """Start and wait until the server accepts connections."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-s", "-l", str(self.base / "startup.txt"), "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; `immediate` is a crash: no disconnection lines, recovery at the next start."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-s", "-m", mode, "stop")

    def record(self) -> None:
        """From the next start on, write the log in both forms."""
        self._configure(LOG_SETTINGS)

    def remove(self) -> None:
        """Stop if it runs, and remove every trace."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        self._unmount()
        shutil.rmtree(self.base, ignore_errors=True)

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to one backend of this server."""
        if self._parent(pid) != self._postmaster():
            raise RuntimeError(f"process {pid} is no backend of the recording's server")
        os.kill(pid, number)

    def fill_spool(self) -> None:
        """Leave no free byte in the small file system of the tablespace."""
        block = b"\0" * 65536
        with (self.spool / "other-tenant").open("wb", buffering=0) as out:
            try:
                while out.write(block):
                    pass
            except OSError:
                return

    def free_spool(self) -> None:
        """Give the space back."""
        (self.spool / "other-tenant").unlink(missing_ok=True)

    def _postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    @staticmethod
    def _parent(pid: int) -> int:
        found = re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) if found else -1

    def _configure(self, settings: dict[str, str]) -> None:
        with (self.data / "postgresql.conf").open("a") as out:
            out.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
            out.write(f"port = {self.port}\n")

    def _mount(self) -> bool:
        """Mount a small file system for the tablespace, where this user may."""
        if os.geteuid() != 0:
            return False
        command = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0755", "tmpfs", str(self.spool)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _unmount(self) -> None:
        if os.path.ismount(self.spool):
            subprocess.run(["umount", "-l", str(self.spool)], check=True)

    def _own_all(self) -> None:
        (self.spool / "tablespace").mkdir(mode=0o700)
        for path in (self.base, *self.base.rglob("*")):
            shutil.chown(path, "postgres", "postgres")
        self.base.chmod(0o755)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        environment = ["env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"]
        prefix = ["runuser", "-u", "postgres", "--", *environment] if os.geteuid() == 0 else environment
        done = subprocess.run([*prefix, str(self._bin / program), *arguments], cwd="/", check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) if program != "pg_ctl" else self._control(prefix, arguments)  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or (self.base / 'startup.txt').read_text()}")

    def _control(self, prefix: list[str], arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Run pg_ctl with no pipe: the server it starts would hold the pipe open for ever."""
        quiet = subprocess.DEVNULL
        command = [*prefix, str(self._bin / "pg_ctl"), *arguments]
        return subprocess.run(command, cwd="/", check=False, stdin=quiet, stdout=quiet, stderr=quiet, text=True)
