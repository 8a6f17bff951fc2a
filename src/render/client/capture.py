# --- capture: this machine, for a builder -----------------------------------------------------------

import re

# What is left out of /etc/portage by its name: keys, and what setup wrote.
LEFT_OUT = re.compile(
    r"(^|/)(gnupg|\.gnupg|\.git|\.ssh|\.netrc|id_(rsa|dsa|ecdsa|ed25519)[^/]*|[^/]*gbsup[^/]*)(/|$)"
    r"|\.(key|pem|p12|pfx|gpg|kbx|asc|swp|orig|bak)$"
    r"|(secret|passw|token|credential)[^/]*$",
    re.I,
)
# Variables and keys of files that hold what only this machine may know; and words that show such a value.
SECRET_NAME = re.compile(r"(passw|passphrase|secret|token|credential|api_?key|private_?key|_auth$|^auth)", re.I)
SECRET_WORDS = re.compile(r"(authorization:|bearer\s+\S|private-token:|--(http-|proxy-|ftp-)?password|--user\s+\S+:|-u\s+\S+:\S)", re.I)
USER_OF_URL = re.compile(r"(?<=://)[^/\s@\"']+@")
# Larger files are none of a configuration, in bytes.
LARGEST = 4 << 20
# Directories below each other.
DEEPEST = 16
# What is kept of each installed package: what a resolver reads, and what tells whether a package fits.
INSTALLED = (
    "BDEPEND BUILD_TIME DEPEND EAPI IDEPEND IUSE KEYWORDS LICENSE PDEPEND PROPERTIES PROVIDES RDEPEND REQUIRES RESTRICT SLOT USE"
    " repository"
).split()


class Capture:
    """What is taken along, and what is not."""

    def __init__(self, tar):
        import portage

        self.tar, self.left, self.settings = tar, [], portage.settings

    def leave(self, what):
        if what not in self.left:
            self.left.append(what)

    def file(self, name, data, mode=0o644):
        import io
        import tarfile

        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), mode
        self.tar.addfile(entry, io.BytesIO(data))

    def link(self, name, target):
        import tarfile

        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
        self.tar.addfile(entry)

    def directory(self, name):
        import tarfile

        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        self.tar.addfile(entry)

    def below(self, path, name, depth=DEEPEST):
        """A file or a directory of /etc/portage; a link to something elsewhere becomes that, as people have with dotfiles."""
        import stat

        inner = name[len("portage/") :]
        if inner and LEFT_OUT.search(inner):
            if "gbsup" not in os.path.basename(inner):
                self.leave(inner)
            return
        # One of a repository stays where it is; one of a person's own comes along.
        if inner == "make.profile" and os.path.islink(path) and not profile_of(self.settings).startswith("/"):
            self.link(name, os.readlink(path))
            return
        try:
            kind = os.stat(path).st_mode
        except OSError:
            self.leave("%s, a link that leads nowhere" % inner)
            return
        if stat.S_ISDIR(kind):
            if not depth:
                self.leave("%s, which is too deep" % inner)
                return
            self.directory(name)
            for child in sorted(os.listdir(path)):
                self.below(os.path.join(path, child), name + "/" + child, depth - 1)
        elif stat.S_ISREG(kind):
            self.setting(path, name, inner, kind)
        else:
            self.leave("%s, which is no file" % inner)

    def setting(self, path, name, inner, kind):
        if os.path.getsize(path) > LARGEST:
            self.leave("%s, which is too large" % inner)
            return
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            self.leave("%s (%s)" % (inner, error.strerror))
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = None
        if text is not None and not inner.startswith("patches/"):
            data = self.without_secrets(text, inner).encode()
        self.file(name, data, 0o755 if kind & 0o111 else 0o644)

    def without_secrets(self, text, inner):
        """A text without what only this machine may know. An empty line stands for each that is left out: what a builder says of a line
        is about the same one here."""
        kept, quote, dropping, ours = [], None, False, False
        assignment = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*\+?=")
        lines = text.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            if line.startswith(BEGIN):
                ours = True
            if ours:
                # The block of setup: it is about being a client.
                ours = line.rstrip() != END
                kept.append("\n")
                continue
            if quote is None:
                found = assignment.match(line)
                secret = found and SECRET_NAME.search(found.group(1))
                # A value over several lines is taken or left as a whole.
                value = line + "".join(lines[number : number + 50]) if found and open_quote(line) else line
                dropping = bool(secret or SECRET_WORDS.search(value if open_quote(line) is None else upto_quote(value)))
                if dropping and not line.lstrip().startswith("#"):
                    self.leave("%s:%d%s" % (inner, number, " (%s)" % found.group(1) if found else ""))
            quote = open_quote(line, quote)
            if dropping:
                kept.append("\n")
                continue
            bare = USER_OF_URL.sub("", line)
            if bare != line:
                self.leave("the user and the password of %s:%d" % (inner, number))
            kept.append(bare)
        return "".join(kept)


def open_quote(line, quote=None):
    """Which quote is open after a line; comments have none."""
    escaped = False
    for c in line:
        if escaped:
            escaped = False
        elif c == "\\" and quote != "'":
            escaped = True
        elif quote is None and c == "#":
            break
        elif quote is None and c in "\"'":
            quote = c
        elif c == quote:
            quote = None
    return quote


def upto_quote(text):
    """A value over several lines, to the line in which its quote ends."""
    quote, taken = None, []
    for line in text.splitlines(keepends=True):
        taken.append(line)
        quote = open_quote(line, quote)
        if quote is None:
            break
    return "".join(taken)


def installed_packages():
    """What a resolver needs to know of what is installed; no lists of files."""
    import portage

    tree = portage.db[portage.settings["EROOT"]]["vartree"].dbapi
    packages = []
    for cpv in sorted(tree.cpv_all()):
        values = dict(zip(INSTALLED, tree.aux_get(cpv, INSTALLED)))
        packages.append(dict({"cpv": str(cpv)}, **{name: value for name, value in values.items() if value}))
    return {"schema": 1, "packages": packages}


def this_machine():
    import platform
    import shlex

    import portage

    cpu = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text_of("/proc/cpuinfo"), re.M)
    options = portage.settings.get("EMERGE_DEFAULT_OPTS", "")
    try:
        options = shlex.split(options)
    except ValueError:
        options = []
    return {
        "schema": 1,
        "name": platform.node(),
        "made_by": VERSION,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": sorted(cpu.group(1).split()) if cpu else [],
        "profile": profile_of(portage.settings),
        "follows": [repo.name for repo in portage.settings.repositories if follows(portage.settings, repo.name)],
        "emerge_default_opts": options,
        "facts": facts(),
    }


def capture():
    import tarfile

    import portage

    if sys.stdout.isatty():
        raise Refused("This prints a tar: sh %s capture > laptop.tar" % SCRIPT)
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        taken = Capture(tar)
        taken.below(ETC, "portage")
        for name in ("world", "world_sets"):
            path = os.path.join(portage.settings["EROOT"], "var/lib/portage", name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    taken.file(name, file.read(LARGEST))
        taken.file("machine.json", json.dumps(this_machine(), indent=1).encode())
        taken.file("installed.json", json.dumps(installed_packages(), indent=1).encode())
        taken.file("left-out", "".join(line + "\n" for line in taken.left).encode())
    for line in taken.left:
        print("left out: %s" % clean(line), file=sys.stderr)
    return DONE
