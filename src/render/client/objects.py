import ctypes
import fcntl
import hashlib
import http.client
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib

# Which commit a tree is of, as the builder made it. It lies in the tree, so that both change by one rename.
RECORD = b".gbsup-commit"
# What may lie in a tree and is none of it: PORTAGE_RSYNC_OPTS of Portage names the same.
NOT_OF_IT = (b"distfiles", b"local", b"packages", b"lost+found")
KINDS = {1: b"commit", 2: b"tree", 3: b"blob"}
OF_BASE = 7
TREE, LINK, RUN, FILE = b"40000", b"120000", b"100755", b"100644"
# Bytes: of one file, of all that is fetched, of all that comes of it.
LONGEST, MOST, ALL = 64 << 20, 2 << 30, 16 << 30
# Objects that are fetched, and directories below each other.
OBJECTS, DEPTH = 4 << 20, 40
# Bundles that are looked at and lead elsewhere.
ASTRAY = 3
# What is said of the tree where nothing new could be brought.
REST = ["the tree stays as it is"]


class Failed(Exception):
    """Why the tree stays as it is, in words for people; and what to type, where it is not to try again."""


class Damaged(Exception):
    """What came is not what was offered."""


def name_of(kind, content):
    """By which name git knows something."""
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content).digest()


def is_of_git(name):
    return name.lower() in (b".git", b"git~1")


def entries_of(content):
    """What is in a directory, as (mode, name, object); nothing that leads out of it."""
    at, found = 0, []
    while at < len(content):
        end = content.find(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        object_of = content[end + 1 : end + 21]
        if end < 0 or len(object_of) != 20 or mode not in (TREE, LINK, RUN, FILE):
            raise Damaged("a directory that cannot be read")
        if name in (b"", b".", b"..", RECORD) or b"/" in name or is_of_git(name):
            raise Damaged("a name that is none: %r" % name)
        found.append((mode, name, object_of))
        at = end + 21
    return found


def patched(base, delta):
    """What comes of a base by what is other in it (gitformat-pack(5))."""
    at, sizes = 0, []
    for _ in range(2):
        size = shift = 0
        while True:
            byte = delta[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        sizes.append(size)
    if sizes[0] != len(base) or sizes[1] > LONGEST:
        raise Damaged("a change of another file")
    made = bytearray()
    while at < len(delta):
        order = delta[at]
        at += 1
        if order & 0x80:
            start = length = 0
            for bit in range(7):
                if order & (1 << bit):
                    if bit < 4:
                        start |= delta[at] << 8 * bit
                    else:
                        length |= delta[at] << 8 * (bit - 4)
                    at += 1
            length = length or 0x10000
            if start + length > len(base):
                raise Damaged("a change of another file")
            made += base[start : start + length]
        else:
            if not order or at + order > len(delta):
                raise Damaged("a change that cannot be read")
            made += delta[at : at + order]
            at += order
        if len(made) > sizes[1]:
            break
    if len(made) != sizes[1]:
        raise Damaged("a change that comes to something else")
    return bytes(made)


class Here:
    """The tree as it lies there, which is read as a whole: so what became of it meanwhile is found, and is of use for the next one."""

    def __init__(self, place):
        # Files by the names of their contents, with their modes; what else there is by its content.
        self.files, self.others = {}, {}
        self.root = self.directory(os.fsencode(place), 0) if os.path.isdir(place) else None

    def directory(self, path, depth):
        entries = []
        with os.scandir(path) as there:
            for entry in there:
                name = entry.name
                if is_of_git(name) or depth == 0 and name in NOT_OF_IT + (RECORD,):
                    continue
                if entry.is_symlink():
                    found = (LINK, self.other(b"blob", os.readlink(entry.path)))
                elif entry.is_dir() and depth < DEPTH:
                    found = (TREE, self.directory(entry.path, depth + 1))
                elif entry.is_file():
                    found = self.file(entry)
                else:
                    continue
                if found[1]:
                    entries.append((found[0], name, found[1]))
        if not entries:
            return None
        entries.sort(key=lambda entry: entry[1] + b"/" * (entry[0] == TREE))
        return self.other(b"tree", b"".join(b"%s %s\0%s" % entry for entry in entries))

    def other(self, kind, content):
        name = name_of(kind, content)
        self.others[name] = kind, content
        return name

    def file(self, entry):
        seen = entry.stat(follow_symlinks=False)
        with open(entry.path, "rb") as file:
            name = name_of(b"blob", file.read(LONGEST + 1))
        mode = seen.st_mode & 0o7777
        self.files[name] = entry.path, mode
        return (RUN if mode & 0o100 else FILE), name


class Objects:
    """What was fetched, and what lies there: each by its name, which is the digest of its content. Nothing is taken on trust."""

    def __init__(self, here, above):
        self.here = here
        # Nobody else sees it, and it goes with this.
        self.spool = tempfile.TemporaryFile(dir=above)
        self.places, self.made = {}, 0

    def has(self, name):
        return name in self.places or name in self.here.others or name in self.here.files

    def content(self, name):
        """What an object is."""
        if name in self.places:
            kind, at, size = self.places[name]
            return kind, self.inflated(at, size)[0]
        if name in self.here.others:
            return self.here.others[name]
        if name not in self.here.files:
            raise Damaged("something that is not there: %s" % name.hex())
        with open(self.here.files[name][0], "rb") as file:
            content = file.read(LONGEST)
        if name_of(b"blob", content) != name:
            raise Failed("%s is being changed by somebody else" % os.fsdecode(self.here.files[name][0]))
        return b"blob", content

    def entries(self, name):
        kind, content = self.content(name)
        if kind != b"tree":
            raise Damaged("a directory that is none")
        return entries_of(content)

    def inflated(self, at, size):
        """What is packed at a place, and where that ends."""
        unpacking, parts, left = zlib.decompressobj(), [], size + 1
        while not unpacking.eof:
            piece = os.pread(self.spool.fileno(), 4096, at)
            part = unpacking.decompress(piece, left) if piece else b""
            left -= len(part)
            if not piece or left <= 0:
                raise Damaged("a pack that cannot be read")
            parts.append(part)
            at += len(piece)
        if left != 1:
            raise Damaged("a pack that cannot be read")
        return b"".join(parts), at - len(unpacking.unused_data)

    def head(self, at):
        """The kind and the size of a packed object, and where it begins."""
        head = os.pread(self.spool.fileno(), 32, at)
        kind, size, shift, used = (head[0] >> 4) & 7, head[0] & 15, 4, 1
        while head[used - 1] & 0x80:
            size |= (head[used] & 0x7F) << shift
            shift += 7
            used += 1
        if size > LONGEST:
            raise Damaged("a file that is too long")
        self.made += size
        if self.made > ALL or len(self.places) > OBJECTS:
            raise Damaged("more than any tree has")
        base = head[used : used + 20] if kind == OF_BASE else None
        return kind, size, base, at + used + (20 if base else 0)

    def take(self, at):
        """The objects of a pack that begins there."""
        try:
            self.take_all(at)
        except (zlib.error, struct.error, IndexError, MemoryError) as error:
            raise Damaged("a pack that cannot be read (%s)" % error)

    def take_all(self, at):
        magic, version, count = struct.unpack(">4sII", os.pread(self.spool.fileno(), 12, at))
        if (magic, version) != (b"PACK", 2):
            raise Damaged("a pack that is none")
        at, changes = at + 12, []
        for _ in range(count):
            kind, size, base, at = self.head(at)
            content, end = self.inflated(at, size)
            if base is not None:
                changes.append((base, at, size))
            elif kind in KINDS:
                self.places[name_of(KINDS[kind], content)] = KINDS[kind], at, size
            else:
                raise Damaged("a kind that is not known")
            at = end
        while changes:
            later = [change for change in changes if not self.has(change[0])]
            if len(later) == len(changes):
                raise Damaged("a change of what is not here")
            for base, at, size in changes:
                if not self.has(base):
                    continue
                kind, content = self.content(base)
                content = patched(content, self.inflated(at, size)[0])
                self.made += len(content)
                if self.made > ALL:
                    raise Damaged("more than any tree has")
                start = self.spool.seek(0, os.SEEK_END)
                self.spool.write(zlib.compress(content, 1))
                self.spool.flush()
                self.places[name_of(kind, content)] = kind, start, len(content)
            changes = later

    def lacking(self, tree):
        """Something that is needed for a tree and not there; None when all is."""
        left, seen = [tree], set()
        while left:
            name = left.pop()
            if name in seen:
                continue
            seen.add(name)
            if not self.has(name):
                return name
            for mode, _, below in self.entries(name):
                if mode == TREE:
                    left.append(below)
                elif not self.has(below):
                    return below
        return None


class Commit:
    """A tree as it was offered, and by whom."""

    def __init__(self, content):
        self.content = content
        self.name = name_of(b"commit", content).hex()
        head, _, message = content.partition(b"\n\n")
        tree = re.match(rb"tree ([0-9a-f]{40})\n", head)
        made = re.search(rb"\ncommitter [^\n]*> ([0-9]{1,12}) \+0000", head)
        if not tree or not made:
            raise Damaged("a commit that cannot be read")
        self.tree, self.made = bytes.fromhex(tree.group(1).decode()), int(made.group(1))
        self.says = "".join(c if c.isprintable() else "?" for c in message.decode(errors="replace").strip())

    def is_signed(self):
        """Whether the builder's key signed it, where it signs."""
        if not KEY:
            return True
        head, _, message = self.content.partition(b"\n\n")
        found = re.search(rb"\ngpgsig (-----BEGIN PGP SIGNATURE-----\n(?: [^\n]*\n)* -----END PGP SIGNATURE-----)(?=\n|$)", head)
        if not found:
            return False
        signed = head[: found.start()] + head[found.end() :] + b"\n\n" + message
        with tempfile.TemporaryDirectory() as home:
            for name, text in (("key", KEY.encode()), ("signature", found.group(1).replace(b"\n ", b"\n") + b"\n"), ("signed", signed)):
                with open(os.path.join(home, name), "wb") as file:
                    file.write(text)
            gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-auto-check-trustdb", "--trust-model", "always"]
            run = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home, "check": False}
            try:
                subprocess.run(gpg + ["--import", "key"], stdout=subprocess.DEVNULL, **run)
                said = subprocess.run(gpg + ["--status-fd", "1", "--verify", "signature", "signed"], stdout=subprocess.PIPE, **run)
            except FileNotFoundError:
                raise Failed("there is no gpg here to verify it with: emerge app-crypt/gnupg")
        # gpg calls a signature of an expired key a good one, by the code that it ends with.
        words = [line.split()[1:2] for line in said.stdout.decode(errors="replace").splitlines()]
        return said.returncode == 0 and words.count(["GOODSIG"]) == 1 and ["VALIDSIG"] in words
