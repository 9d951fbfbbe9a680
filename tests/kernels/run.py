#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make test-kernels: the datapath suite, and a Geneve device as far end, on Debian's own kernel.

    tests/kernels/run.py [WORD]...      words choose what is run in the guest

Boots the kernel of Debian's linux-image-amd64 under qemu (TCG, so it needs no KVM).  The guest's
root is this machine's, read-only, with a layer of memory over it: so it has the programs, libraries
and tests that were built here, and nothing that it does stays.  Only the kernel and its modules are
another's.  NVE_KERNEL names another package, say linux-image-cloud-amd64.

guest.py prints a line for each program on the serial console; this script repeats them and counts.
Exits with 0 if all ran, in time, and nothing failed or was skipped.
"""
import glob
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
CACHE = f"{ROOT}/build/kernels"
PACKAGE = os.environ.get("NVE_KERNEL", "linux-image-amd64")
TIME_LIMIT = int(os.environ.get("NVE_KERNELS_SECONDS", "900"))  # all in all, once it boots
MARK = "KERNELS "  # what the guest's lines for us begin with
FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # what it takes to reach the root


def need_tools():
    with open(f"{HERE}/packages.txt", encoding="ascii") as f:
        packages = [x.strip() for x in f if x.strip() and x[0] != "#"]
    tools = ("qemu-system-x86_64", "busybox", "depmod", "modprobe", "dpkg-deb", "apt-get")
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [t for t in tools if not shutil.which(t, path=path)]
    if missing:
        sys.exit(f"test-kernels: {', '.join(missing)} not found: "
                 f"apt-get install {' '.join(packages)}")


def output(*words, **kw):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, **kw).stdout


def package_name():
    """Of the kernel itself: what the metapackage depends on."""
    for line in output("apt-cache", "depends", PACKAGE).splitlines():
        if "Depends: linux-image-" in line:
            return line.split("Depends: ")[1].strip()
    return PACKAGE


def kernel():
    """Downloads and unpacks the kernel, once; (vmlinuz, its folder, its version)."""
    name = package_name()
    there = f"{CACHE}/{name}"
    if not os.path.isdir(there):
        os.makedirs(CACHE, exist_ok=True)
        print(f"test-kernels: downloading {name}", flush=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as tmp:
            os.chmod(tmp, 0o755)  # apt downloads as a user of its own
            subprocess.run(["apt-get", "download", "-q", name], cwd=tmp, check=True,
                           stdout=subprocess.DEVNULL)
            subprocess.run(["dpkg-deb", "-x", *glob.glob(f"{tmp}/*.deb"), f"{tmp}/x"], check=True)
            os.rename(f"{tmp}/x", there)
    image, = glob.glob(f"{there}/boot/vmlinuz-*")
    version = image.split("vmlinuz-")[1]
    base = there if os.path.isdir(f"{there}/lib/modules") else f"{there}/usr"
    if not os.path.exists(f"{base}/lib/modules/{version}/modules.dep.bin"):
        subprocess.run(["/usr/sbin/depmod", "-b", base, version], check=True)
    return image, base, version


def cpio(files, out):
    """An initramfs ("newc"): {path: (mode, bytes)}."""
    def entry(number, name, mode, data):
        head = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        text = b"070701" + b"".join(b"%08X" % x for x in head) + name.encode() + b"\0"
        out.write(text + bytes(-len(text) % 4) + data + bytes(-len(data) % 4))
    for number, (name, (mode, data)) in enumerate(files.items(), 1):
        entry(number, name, mode, data)
    entry(0, "TRAILER!!!", 0, b"")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def initramfs(path, base, version, words):
    """busybox, the modules for the root, and init."""
    shown = output("/usr/sbin/modprobe", "-d", base, "-S", version, "-a", "--show-depends",
                   *FIRST_MODULES)
    modules = list(dict.fromkeys(
        x.split()[1] for x in shown.splitlines() if x.startswith("insmod")))
    folders = "bin proc sys dev low up new modules".split()
    files = {folder: (0o40755, b"") for folder in folders}
    files["bin/busybox"] = (0o100755, read(shutil.which("busybox")))
    for module in modules:
        files[f"modules/{os.path.basename(module)}"] = (0o100644, read(module))
    files["modules/order"] = (0o100644, "".join(
        os.path.basename(m) + "\n" for m in modules).encode())
    files["init"] = (0o100755, read(f"{HERE}/init"))
    files["config"] = (0o100644, f"ROOT={shlex.quote(ROOT)}\nVERSION={version}\n"
                                 f"WORDS={shlex.quote(' '.join(words))}\n".encode())
    with open(path, "wb") as f:
        cpio(files, f)


def qemu(image, base, version, ramfs):
    def share(tag, path):
        return ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none,readonly=on,"
                           "multidevs=remap"]
    return ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2",
            "-m", "3072", "-kernel", image, "-initrd", ramfs, "-nographic", "-no-reboot",
            "-nodefaults", "-serial", "stdio",
            # On a busy host the emulated timer may be late for the kernel's test of it.
            "-append", "console=ttyS0 quiet panic=-1 no_timer_check nowatchdog",
            *share("root", "/"), *share("modules", f"{base}/lib/modules/{version}")]


def watch(command):
    """Runs the guest, at most so long; (its lines for us, all else that it said)."""
    lines, noise = [], []
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as guest:
        late = threading.Timer(TIME_LIMIT, guest.kill)
        late.start()
        for line in guest.stdout:
            line = line.rstrip()
            if line.startswith(MARK):
                lines.append(line.removeprefix(MARK))
                print(lines[-1], flush=True)
            else:
                noise.append(line)
        late.cancel()
    return lines, noise


def main():
    need_tools()
    image, base, version = kernel()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as tmp:
        initramfs(f"{tmp}/initramfs", base, version, sys.argv[1:])
        print(f"test-kernels: booting {version}; at most {TIME_LIMIT} s", flush=True)
        lines, noise = watch(qemu(image, base, version, f"{tmp}/initramfs"))
    seconds = time.monotonic() - begin
    passed = sum(x.startswith("ok ") for x in lines)
    failed = sum(x.startswith("FAIL ") for x in lines)
    if not lines or lines[-1] != "done":
        print("the guest's last words:\n    " + "\n    ".join(noise[-40:]))
        print(f"FAIL the guest did not come to its end ({seconds:.0f} s)")
        failed += 1
    print(f"{passed} passed, {failed} failed on {version} ({seconds:.0f} s)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
