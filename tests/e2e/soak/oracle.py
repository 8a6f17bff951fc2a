"""Looks at the volume in /srv as Portage and hashlib see it: a line for each thing that is wrong. No line: all is well.

What was finished is remembered in /tmp/finished.json, so that what is lost or made anew is noticed.
"""

import gzip
import hashlib
import json
import os
import subprocess
import sys

os.environ["PORTAGE_CONFIGROOT"] = "/"
import portage
from portage.gpkg import gpkg

RELEASES, PACKAGES, REMEMBERED = "/srv/releases", "/srv/binpkgs", "/tmp/finished.json"
read = {}
# Of what was built against a package whose new version fails Portage makes the same again: --keep-going does not leave it out.
excused = [arg.split("=")[1] for arg in sys.argv if arg.startswith("--again=")]


def wrong(*words):
    print(*words)


def sums(path):
    """Size, MD5, SHA1 and SHA512 of a file; of hard links once."""
    there = os.lstat(path)
    key = there.st_ino
    if key not in read:
        with open(path, "rb") as file:
            data = file.read()
        hashes = [hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha512")]
        read[key] = [len(data), *hashes]
    return read[key]


def stanzas(text):
    """The header and the packages of an index."""
    blocks = [block for block in text.decode().split("\n\n") if block.strip()]
    return [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in blocks]


def release(name):
    place = os.path.join(RELEASES, name)
    with open(os.path.join(place, "Packages"), "rb") as file:
        index = file.read()
    if not index.endswith(b"\n"):
        wrong(name, "the index ends in the middle of a line")
    with open(os.path.join(place, "Packages.gz"), "rb") as file:
        if gzip.decompress(file.read()) != index:
            wrong(name, "Packages.gz is another index than Packages")
    header, *packages = stanzas(index)
    if int(header["PACKAGES"]) != len(packages):
        wrong(name, "the index says", header["PACKAGES"], "packages and has", len(packages))
    for package in packages:
        path = package["PATH"]
        try:
            size, md5, sha1, _ = sums(os.path.join(place, path))
        except OSError as error:
            wrong(name, path, "is in the index:", error.strerror)
            continue
        if [str(size), md5, sha1] != [package["SIZE"], package["MD5"], package["SHA1"]]:
            wrong(name, path, "is not what the index says")
    with open(os.path.join(place, "release.json"), "rb") as file:
        told = json.load(file)
    for entry in told["packages"] + told["index"]:
        path = entry.get("path") or entry["name"]
        try:
            if sums(os.path.join(place, path))[3] != entry["sha512"]:
                wrong(name, path, "is not what release.json says")
        except OSError as error:
            wrong(name, path, "is in release.json:", error.strerror)
    offered = {package["PATH"] for package in packages}
    if offered != {entry["path"] for entry in told["packages"]}:
        wrong(name, "release.json and the index have other packages")
    for directory, _, files in os.walk(place):
        for file in files:
            path = os.path.relpath(os.path.join(directory, file), place)
            if path.endswith((".gpkg.tar", ".xpak")) and path not in offered:
                wrong(name, path, "is not in the index")
    return packages


def finished():
    """The finished packages by path: inode, SHA512, and what it was built from."""
    try:
        with open(REMEMBERED) as file:
            before = json.load(file)
    except FileNotFoundError:
        before = {}
    now, built = {}, {}
    for directory, _, files in os.walk(PACKAGES):
        for file in files:
            path = os.path.join(directory, file)
            if not file.endswith(".gpkg.tar"):
                continue
            inode, sha512 = os.lstat(path).st_ino, sums(path)[3]
            known = before.get(path)
            if known and known[:2] == [inode, sha512]:
                now[path] = known
            else:
                try:
                    package = gpkg(portage.settings, gpkg_file=path, verify_signature=False)
                    package._verify_binpkg()
                    meta = package.get_metadata()
                except Exception as error:
                    wrong(path, "cannot be read by Portage:", repr(error))
                    continue
                ebuild = next((text for name, text in meta.items() if name.endswith(".ebuild")), b"")
                inputs = [meta.get(key, b"").decode() for key in ("CATEGORY", "PF", "USE", "RDEPEND")]
                now[path] = [inode, sha512, inputs + [hashlib.sha1(ebuild).hexdigest()]]
            built.setdefault(json.dumps(now[path][2]), []).append(path)
    for path, known in before.items():
        if path not in now:
            wrong(path, "was finished and is lost")
        elif now[path][:2] != known[:2]:
            wrong(path, "was finished and is another file")
    for inputs, paths in built.items():
        if len(paths) > 1 and not any(f"/{name}/" in paths[0] for name in excused):
            wrong("built more than once from the same:", inputs, *paths)
    if "--read-only" not in sys.argv:
        with open(REMEMBERED, "w") as file:
            json.dump({**before, **now}, file)


def emerge(*args, **environment):
    done = subprocess.run(["emerge", "--color=n", "--quiet", *args], env={**os.environ, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def client(name, packages, install):
    """As a client that knows nothing of gbsup: plans to install all of a release, and installs what it has not."""
    os.makedirs("/etc/portage/binrepos.conf", exist_ok=True)
    with open("/etc/portage/binrepos.conf/soak.conf", "w") as file:
        file.write(f"[soak]\nsync-uri = file://{RELEASES}/{name}\nverify-signature = false\n")
    atoms = sorted({f"={package['CPV']}" for package in packages})
    if not atoms:
        return
    root = "/tmp/empty"
    os.makedirs(root, exist_ok=True)
    code, said = emerge("--pretend", "--getbinpkgonly", *atoms, ROOT=root)
    if code or said.count("[binary ") != len(atoms) or "!!!" in said:
        wrong(name, "a client cannot install all of it into an empty root:\n", said)
    if not install:
        return
    wanted = []
    for package in packages:
        try:
            with open(f"/var/db/pkg/{package['CPV']}/BUILD_TIME") as file:
                same = file.read().strip() == package["BUILD_TIME"]
        except FileNotFoundError:
            same = False
        if not same:
            wanted.append("=" + package["CPV"])
    if wanted:
        code, said = emerge("--oneshot", "--getbinpkgonly", *wanted)
        if code:
            wrong(name, "a client cannot install", *wanted, "\n", said)
    for package in packages:
        pf = package["CPV"].split("/")[1]
        pn = pf.rsplit("-", 1)[0]
        try:
            with open(f"/usr/share/gbsup-test/{pn}") as file:
                if file.read() != f"{pf} was here\n":
                    wrong(name, pf, "is installed and its file is another one")
        except OSError as error:
            wrong(name, pf, "is installed and its file is not there:", error.strerror)


def main():
    names = sorted(name for name in os.listdir(RELEASES) if name[0] == "2") if os.path.isdir(RELEASES) else []
    current = os.readlink(os.path.join(RELEASES, "current")) if names else ""
    if names and current not in names:
        wrong("current leads to", current)
        return
    offered = {}
    for name in names:
        try:
            offered[name] = release(name)
        except (OSError, ValueError, KeyError) as error:
            wrong(name, "cannot be read:", repr(error))
    if "--releases" in sys.argv:
        return
    finished()
    if "--read-only" in sys.argv:
        return
    try:
        with open("/tmp/looked") as file:
            looked = set(file.read().split())
    except FileNotFoundError:
        looked = set()
    for name in names:
        if name not in looked and name in offered:
            client(name, offered[name], name == current)
    with open("/tmp/looked", "w") as file:
        file.write("\n".join(names))


main()
