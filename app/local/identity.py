"""The user as whom the servers run: PostgreSQL refuses root, and a directory may be closed to everybody else."""

import contextlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.errors import SetupError
from app.local.binaries import Binaries
from app.messages import N_


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom the servers run: PostgreSQL refuses root, and each way out has its own limits (see choose_identity)."""

    owner_uid: int
    owner_gid: int
    drop: bool = False
    prefix: tuple[str, ...] = ()

    def popen(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        who: dict[str, object] = (
            {"user": self.owner_uid, "group": self.owner_gid, "extra_groups": []} if self.drop else {}
        )
        return subprocess.Popen([*self.prefix, *command], cwd="/", stdin=subprocess.DEVNULL, **who, **options)  # type: ignore[call-overload, no-any-return]

    def run(self, command: list[str], seconds: float = 120) -> tuple[int, str]:
        """Exit code and output; a failure to switch users is an exit code too."""
        try:
            process = self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except (OSError, subprocess.SubprocessError) as error:
            return 127, str(error)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        return process.returncode, output.decode(errors="replace")


def choose_identity(binaries: Binaries, directory: Path) -> tuple[Identity, Binaries]:
    """As whom to run. An ordinary user: as that user. Root, which PostgreSQL refuses:

    1. the user `postgres` or `nobody`, if that user can reach the commands and the data;
    2. a user namespace, where root only looks like `nobody`, for a checkout under a closed directory such as /root;
    3. as 1 with a copy of the commands beside the data.
    """
    me = Identity(os.geteuid(), os.getegid())
    if me.owner_uid != 0:
        if _has_name(me.owner_uid):
            return me, binaries
        # initdb wants a name for the uid; a container started with a bare number has none.
        if namespaced := _namespaced(me, binaries):
            return namespaced, binaries
        line = f"hoi:x:{me.owner_uid}:{me.owner_gid}::/tmp:/bin/sh"
        raise SetupError(
            "no_user_name",
            N_(
                "Người dùng số %(owner_uid)s không có tên trên máy này nên PostgreSQL không chạy. Hãy chạy (bằng "
                "root): echo '%(line)s' >> /etc/passwd",
                owner_uid=me.owner_uid,
                line=line,
            ),
        )
    lower = _lower_user()
    if lower and _reaches(lower, binaries, directory):
        return lower, binaries
    if namespaced := _namespaced(me, binaries):
        return namespaced, binaries
    if lower and (copied := _copied(binaries, directory)) and _reaches(lower, copied, directory):
        return lower, copied
    raise SetupError(
        "root_without_way_out",
        N_(
            "PostgreSQL không chạy bằng root, và người dùng thường không vào được %(directory)s. Hãy mở lối "
            "đi: chmod o+x cho các thư mục cha của nó, hoặc dùng thư mục khác: HOI_VAR=/var/lib/hoi ./hoi …",
            directory=directory,
        ),
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _lower_user() -> Identity | None:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Identity(entry.pw_uid, entry.pw_gid, drop=True)
    return None


def _reaches(identity: Identity, binaries: Binaries, directory: Path) -> bool:
    script = 'cd "$1" && "$2" --version && "$3" --version'
    command = [
        "/bin/sh",
        "-c",
        script,
        "sh",
        str(directory / "run"),
        str(binaries.pg / "postgres"),
        str(binaries.valkey),
    ]
    return identity.run(command, 20)[0] == 0


def _namespaced(me: Identity, binaries: Binaries) -> Identity | None:
    """Ourselves in a user namespace that shows another, named uid; None where the kernel or the container forbids it."""
    named = next((entry for entry in pwd.getpwall() if entry.pw_name == "nobody"), None)
    if named is None or shutil.which("unshare") is None:
        return None
    prefix = ("unshare", "--user", f"--map-user={named.pw_uid}", f"--map-group={named.pw_gid}", "--")
    identity = Identity(me.owner_uid, me.owner_gid, prefix=prefix)
    return identity if identity.run([str(binaries.pg / "postgres"), "--version"], 20)[0] == 0 else None


def _copied(binaries: Binaries, directory: Path) -> Binaries | None:
    """Copies of the commands under the data directory, with the libraries that auditwheel put beside the package."""
    target = directory / "run" / "commands"
    package = binaries.pg.parent.parent
    done = target / "done"
    if not done.exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o755)
        shutil.copytree(binaries.pg.parent, target / package.name / binaries.pg.parent.name, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name, symlinks=True)
        shutil.copy2(binaries.valkey, target / "valkey-server")
        for path in (target, *target.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        done.touch()
    return Binaries(target / package.name / binaries.pg.parent.name / "bin", target / "valkey-server")
