"""The guest's disk, kernel and initial RAM disk, built once per set of ingredients and kept in the user's cache."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import inspect
import json
import lzma
import os
import re
import shutil
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mpio import errors, releases
from mpio.lab import packages, process
from mpio.lab.process import Say
from mpio.releases import Release

DEFAULT = releases.DEFAULT.name

PACKAGES = (
    "linux-image-amd64",  # not -cloud-: that one has no iSCSI and no multipath
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "iproute2",
    "iputils-ping",
    "nftables",
    "open-iscsi",
    "multipath-tools",
    "python3",
    "procps",
    "e2fsprogs",
    "lvm2",
    "mdadm",
    "strace",
)

# What a guest never reads, and drivers of hardware that it does not have.
EXCLUDED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    *(
        f"{root}/modules/*/kernel/{folder}/*"
        for root in ("/lib", "/usr/lib")
        for folder in (
            "drivers/gpu",
            "drivers/media",
            "drivers/net/wireless",
            "drivers/net/ethernet",
            "drivers/usb",
            "sound",
        )
    ),
)

# Work at boot that has nothing to do with storage.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "logrotate.timer",
    "lvm2-monitor.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "proc-sys-fs-binfmt_misc.automount",
    "serial-getty@ttyS0.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-timesyncd.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
)

INITRAMFS = "MODULES=list\nRESUME=none\nFSTYPE=ext4\n"
INITRAMFS_MODULES = "virtio_pci\nvirtio_blk\next4\n"
KEPT = 3  # images of a suite
DISK = "2G"  # sparse; LUNs are sparse files on it


@dataclass(frozen=True, slots=True)
class Image:
    suite: Release
    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.ext4"

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"


def suite(name: str) -> Release:
    """Any release of Debian's: whether there is one of that name, mmdebstrap finds out."""
    if not re.fullmatch("[a-z]+", name):
        known = ", ".join(one.name for one in releases.RECORDED)
        raise errors.UnknownName(f"{name!r} is no name of a release", f"such as {known}")
    return releases.named(name)


def ready(name: str = DEFAULT) -> Image | None:
    """The image if it is in the cache."""
    image = _place(suite(name))
    return image if image.folder.is_dir() else None


def get(name: str = DEFAULT, say: Say = process.quiet) -> Image:
    """The image, built if the cache does not have it; then root is needed, for mmdebstrap and the files' owners."""
    image = _place(suite(name))
    if image.folder.is_dir():
        os.utime(image.folder)
        return image
    process.need("mmdebstrap", "mke2fs", "chroot", "setpriv", "unshare")
    if os.geteuid() != 0:
        raise errors.NotRoot("building the lab's image needs root", "run once as root with the same XDG_CACHE_HOME")
    with _lock():
        if not image.folder.is_dir():
            _build(image, say)
    return image


def _place(of: Release) -> Image:
    return Image(of, process.cache() / f"{of.name}-{key(of)}")


def key(of: Release) -> str:
    """Twelve digits of a hash over everything the image is made of."""
    ingredients = [of.name, of.python, PACKAGES, EXCLUDED, MASKED, INITRAMFS, INITRAMFS_MODULES, DISK]
    ingredients += [packages.requirements(of.python), inspect.getsource(packages.install)]
    ingredients += [(Path(__file__).parent / "inside/mpio").read_text()]
    ingredients += [inspect.getsource(step) for step in (_build, unpacked, unzipped, _mmdebstrap, _finish)]
    return hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:12]


@contextmanager
def _lock() -> Iterator[None]:
    with (process.cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(image: Image, say: Say) -> None:
    with process.scratch(process.cache() / f"new-{os.getpid()}") as work:
        root, parts = work / "root", work / "parts"
        parts.mkdir()
        say(f"building the {image.suite.name} guest (once)")
        process.call(process.bound(_mmdebstrap(image.suite, root)), say)
        packages.install(image.suite.python, root, work, say)
        _finish(root)
        # Both unpacked here, because the emulated processor takes seconds for it.
        (parts / "kernel").write_bytes(unpacked(next(root.glob("boot/vmlinuz-*")).read_bytes()))
        (parts / "initrd").write_bytes(unzipped(next(root.glob("boot/initrd.img-*")).read_bytes()))
        disk = parts / "disk.ext4"
        # With a journal, as any host has: without one a power cut may tear what was renamed into place.
        make = ["mke2fs", "-q", "-t", "ext4", "-J", "size=16", "-m", "0", "-d", str(root), str(disk), DISK]
        process.call(process.bound(make), say)
        parts.rename(image.folder)
    forget(image.suite)


def forget(of: Release) -> None:
    """Of a suite the images used last stay: two checkouts of the project may each have theirs."""
    images = sorted(process.cache().glob(f"{of.name}-*"), key=lambda folder: folder.stat().st_mtime)
    for old in images[:-KEPT]:
        shutil.rmtree(old)  # a guest that still runs on it has its files open


def unpacked(kernel: bytes) -> bytes:
    """The ELF image in a bzImage (Documentation/arch/x86/boot.rst), which QEMU starts by its PVH entry; or what it was.

    Only compressions that Python 3.11 knows are undone.
    """
    setup, (offset, length) = kernel[0x1F1] or 4, struct.unpack_from("<II", kernel, 0x248)
    start = (setup + 1) * 512 + offset
    payload = kernel[start : start + length]
    for magic, decompressor in ((b"\xfd7zXZ\0", lzma.LZMADecompressor()), (b"\x1f\x8b", zlib.decompressobj(31))):
        if payload.startswith(magic):
            return decompressor.decompress(payload)  # the size behind the stream is left over
    return kernel


def unzipped(initrd: bytes) -> bytes:
    """An initial RAM disk with its gzip part undone.

    Since initramfs-tools 0.143 (Debian 13) a cpio archive of what is compressed already stands before that part.
    """
    plain = 0
    while initrd[plain : plain + 6] == b"070701":
        plain = initrd.index(b"TRAILER!!!\0", plain) + len(b"TRAILER!!!\0")
        while initrd[plain : plain + 1] == b"\0":
            plain += 1
    return initrd[:plain] + gzip.decompress(initrd[plain:])


def _mmdebstrap(of: Release, root: Path) -> list[str]:
    modules = "usr/share/initramfs-tools/modules.d"
    config = "etc/initramfs-tools/conf.d"
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--aptopt={line}" for line in _dates()),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        "--dpkgopt=force-unsafe-io",
        # Before the kernel's own script makes the initial RAM disk; compressed in a way that Python's library can undo.
        f'--essential-hook=mkdir -p "$1/{config}" "$1/{modules}"',
        f'--essential-hook=printf "{_quoted(INITRAMFS)}COMPRESS=gzip\\n" > "$1/{config}/mpio-lab"',
        f'--essential-hook=printf "{_quoted(INITRAMFS_MODULES)}" > "$1/{modules}/mpio-lab"',
        of.name,
        str(root),
        *_mirror(),
    ]


def _quoted(text: str) -> str:
    return text.replace("\n", "\\n")


def _mirror() -> list[str]:
    """Where the host's own apt gets its release from; nothing on other hosts, where mmdebstrap knows best."""
    if not shutil.which("apt-get"):
        return []
    host = re.search(r"^VERSION_CODENAME=(\S+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    listed = process.call(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"])
    for line in listed.splitlines():
        origin, codename, uri = line.split(" ", 2)
        if host and (origin, codename) == ("Debian", host[1]):
            return [uri]
    return []


def _dates() -> list[str]:
    """The host's own word on expired Release files: a mirror frozen in time serves nothing else."""
    if not shutil.which("apt-config"):
        return []
    dumped = process.call(["apt-config", "dump"])
    return [line.rstrip(";") for line in dumped.splitlines() if re.match(r"Acquire::Check-(Valid-Until|Date) ", line)]


def _finish(root: Path) -> None:
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")
    journal = root / "etc/systemd/journald.conf.d/mpio-lab.conf"
    journal.parent.mkdir(parents=True)
    journal.write_text("[Journal]\nStorage=volatile\n")
    (root / "etc/hostname").write_text("prague\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost prague\n")
    (root / "etc/machine-id").write_text("")
    # Otherwise the first boot rebuilds ld.so.cache, the hardware database and the message catalogue.
    for place in ("etc", "var"):
        (root / place / ".updated").touch()
    wrapper = root / "usr/local/bin/mpio"
    shutil.copy(Path(__file__).parent / "inside/mpio", wrapper)
    wrapper.chmod(0o755)
    (root / "usr/local/sbin/lab-san").symlink_to("/run/mpio-lab/lab-san")


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
    image = get(name, process.to_stderr)
    sys.stdout.write(f"{image.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
