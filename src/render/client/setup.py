# --- setup and undo ---------------------------------------------------------------------------------

BEGIN, END = "# gbsup begins", "# gbsup ends"
# How a block says what was there before it.
NO_FILE, NO_END = " (there was no such file)", " (the line above had no end)"
# What setup did besides, for undo.
MADE = "# setup made: "

BINREPO = """\
[gbsup]
sync-uri = %s
# Which repository an index is read from first. Of two packages of one version Portage takes the one that was built later, whatever
# the priority.
priority = 10
"""
VERIFIED = """\
# What is not signed with the builder's key is refused.
verify-signature = true
"""
UNVERIFIED = """\
# !!! The builder does not sign its packages: whoever gets between it and this machine can put anything into them. When it does
# !!! (publish.sign_key), run its client.sh again.
verify-signature = false
"""
UNKNOWN = """\
# Nothing was published when this was written. If packages turn out to be unsigned, or signed with a key that is unknown here, they
# are refused until the builder's client.sh is fetched and run again.
verify-signature = true
"""
MAKE_CONF = """\
# Binary packages are used where they fit what is configured here; the rest is built.
FEATURES="${FEATURES} getbinpkg"
# A package that the builder built again, since a library it uses is another one now, is installed again.
EMERGE_DEFAULT_OPTS="${EMERGE_DEFAULT_OPTS} --rebuilt-binaries=y"
"""


def read(path):
    """The text of a file, byte for byte; None without one."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def replace(path, text):
    """Makes a file say this, whole at any instant, with the owner and the mode that it had."""
    path = os.path.realpath(path)
    new = beside_file(path)
    try:
        with open(new, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            try:
                before = os.stat(path)
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), before.st_mode & 0o7777)
            except FileNotFoundError:
                os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as problem:
        # A file that is mounted by itself, as into a container, cannot be exchanged.
        forget(new)
        raise Refused("%s cannot be written: %s" % (path, problem.strerror))


def beside_file(path):
    """Where the next text of a file is made. Portage reads every file of a directory but those with a dot in front."""
    return os.path.join(os.path.dirname(path), ".gbsup.new")


def forget(path):
    try:
        os.remove(path)
    except OSError:
        pass


class Setting:
    """What setup adds to a setting of Portage: a file in its directory, or a block in the file that it is. `ours` are its lines, by which
    those that a person wrote among them are told apart."""

    def __init__(self, top, path, ours):
        self.top, self.path, self.ours = top, path, ours
        self.is_file = path == top or os.path.basename(path) not in OWN_FILES
        self.text = read(self.path)
        self.before, self.part, self.after, self.mark = self.text or "", None, "", ""
        if not self.is_file:
            self.part = self.text
        elif self.text is None:
            self.mark = NO_FILE
        else:
            self.split()

    def split(self):
        lines = self.text.splitlines(keepends=True)
        begins = [at for at, line in enumerate(lines) if line.startswith(BEGIN)]
        ends = [at for at, line in enumerate(lines) if line.rstrip() == END]
        if not begins and not ends:
            if lines and not lines[-1].endswith("\n"):
                self.mark = NO_END
            return
        if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
            raise Refused(
                "%s has not one block between the lines '%s' and '%s': put that right by hand" % (self.path, BEGIN, END)
            )
        begin, end = begins[0], ends[0]
        self.mark = lines[begin].rstrip("\n")[len(BEGIN) :]
        self.before, self.after = "".join(lines[:begin]), "".join(lines[end + 1 :])
        self.part = "".join(lines[begin + 1 : end])

    def put(self, part):
        """Makes it say this; whether it did not yet."""
        if self.part == part:
            return False
        self.after = self.by_hand() + self.after
        if self.is_file:
            end = "\n" if self.mark == NO_END and self.part is None else ""
            replace(self.path, "%s%s%s%s\n%s%s\n%s" % (self.before, end, BEGIN, self.mark, part, END, self.after))
            done = "added a block to" if self.part is None else "changed the block of setup in"
        else:
            os.makedirs(self.top, exist_ok=True)
            replace(self.path, part)
            done = "wrote"
        print(done, self.path)
        self.part = part
        return True

    def note(self, made):
        """Writes down what is about to be done besides, so that undo knows of it whatever ends this."""
        notes = "".join("%s%s\n" % (MADE, what) for what in made)
        if self.is_file:
            end = "\n" if self.mark == NO_END and self.part is None else ""
            part = (self.part or "") + notes
            replace(self.path, "%s%s%s%s\n%s%s\n%s" % (self.before, end, BEGIN, self.mark, part, END, self.after))
        else:
            os.makedirs(self.top, exist_ok=True)
            replace(self.path, (self.part or "") + notes)

    def by_hand(self):
        """What a person wrote among the lines of setup. In make.conf it stays; elsewhere it would mean something else alone, and is said."""
        lines = (self.part or "").splitlines(keepends=True)
        own = [line for line in lines if line.strip() and not line.startswith("#") and not self.ours(line.strip())]
        if own and self.is_file and self.ours is is_of_make_conf:
            print("what was written into the block of setup by hand stays in", self.path)
            return "".join(own)
        for line in own:
            print("took out of %s what was written there by hand: %s" % (self.path, clean(line.strip())))
        return ""

    def strays(self):
        """The blocks of setup in other files of its directory, as when that was a file and was moved into it."""
        if self.is_file or not os.path.isdir(self.top):
            return []
        paths = [os.path.join(self.top, name) for name in sorted(os.listdir(self.top)) if name not in OWN_FILES]
        return [Setting(self.top, path, self.ours) for path in paths if os.path.isfile(path) and "\n" + BEGIN in "\n" + read(path)]

    def remove(self):
        """Takes that back; whether there was any."""
        forget(beside_file(os.path.realpath(self.path)))
        if self.part is None:
            return False
        self.after = self.by_hand() + self.after
        if not self.is_file:
            os.remove(self.path)
            print("removed", self.path)
        elif self.mark == NO_FILE and not self.before + self.after:
            os.remove(self.path)
            print("removed", self.path)
        else:
            before = self.before
            if self.mark == NO_END and not self.after:
                before = before[:-1] if before.endswith("\n") else before
            replace(self.path, before + self.after)
            print("removed the block of setup from", self.path)
        return True


# The names of its files, where a setting is a directory.
OWN_FILES = ["gbsup.conf", "zz-gbsup.conf"]


def is_of_binrepo(line):
    return line in BINREPO.splitlines() or line.split(" = ")[0] in ("sync-uri", "verify-signature")


def is_of_make_conf(line):
    return line in MAKE_CONF.splitlines()


def settings_of_setup():
    binrepos, make_conf = (os.path.join(ETC, name) for name in ("binrepos.conf", "make.conf"))
    of_binrepos = binrepos if os.path.isfile(binrepos) else os.path.join(binrepos, OWN_FILES[0])
    of_make_conf = os.path.join(make_conf, OWN_FILES[1]) if os.path.isdir(make_conf) else make_conf
    return Setting(binrepos, of_binrepos, is_of_binrepo), Setting(make_conf, of_make_conf, is_of_make_conf)


def made_by_setup(setting):
    """What setup noted that it did besides."""
    lines = (setting.part or "").splitlines()
    return [line[len(MADE) :] for line in lines if line.startswith(MADE)]


def refuse_the_builder():
    """A builder has a make.conf of its own under the name that setup would use."""
    text = read(os.path.join(ETC, "make.conf/zz-gbsup.conf")) or ""
    if "\nPKGDIR=" in text or os.path.exists("/run/gbsup/control.sock"):
        raise Refused("This is a builder itself: it has its packages, and needs nothing of this.")


def need_root():
    if os.geteuid() != 0:
        raise Refused("This changes %s: run it as root." % ETC)
    if os.path.isdir(ETC) and not os.access(ETC, os.W_OK):
        raise Refused("%s is read-only here: nothing was changed." % ETC)


def gpg(*args, **options):
    import subprocess

    command = ["gpg", "--homedir", os.path.join(ETC, "gnupg"), "--batch", "--yes", "--quiet", "--no-permission-warning"]
    return subprocess.run(command + list(args), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)


def has_key(fingerprint):
    return gpg("--list-keys", fingerprint).returncode == 0


def to_trust():
    """What has to be made for Portage to trust the key."""
    import shutil

    if not shutil.which("gpg"):
        return []
    made = [] if os.path.isdir(os.path.join(ETC, "gnupg")) else ["keyring"]
    if made or not has_key(KEY):
        made.append("key " + KEY)
    return made


def trust():
    """Has Portage trust the key."""
    import subprocess

    ran = subprocess.run(["sh", "-eu", "-c", TRUST], env=dict(os.environ, etc=ETC), check=False)
    if ran.returncode != 0:
        raise Refused("The key %s could not be made trusted, and the packages are not used. sh %s undo takes back what was done." % (KEY, SCRIPT))


def distrust(key):
    """Takes a key out of the ring, and what it was trusted with."""
    import subprocess

    keys = os.path.join(ETC, "gnupg")
    trusted = gpg("--export-ownertrust").stdout.splitlines(keepends=True)
    kept = b"".join(line for line in trusted if not line.startswith(key.encode() + b":"))
    gpg("--delete-keys", key)
    # It has no way to forget one entry.
    database = os.path.join(keys, "trustdb.gpg")
    if os.path.exists(database):
        os.remove(database)
    gpg("--import-ownertrust", input=kept)
    gpg("--check-trustdb")
    if os.path.exists(database):
        os.chmod(database, 0o644)
    subprocess.run(["gpgconf", "--homedir", keys, "--kill", "all"], check=False)
    print("does not trust the key %s any more (%s)" % (key, keys))


def cached_index():
    """Where Portage keeps its copy of the index: by host and path, without the port (portage/dbapi/bintree.py)."""
    from urllib.parse import urlparse

    import portage

    url = urlparse(URL)
    eroot = portage.settings["EROOT"]
    return os.path.join(eroot, "var/cache/edb/binhost", url.hostname or "", url.path.lstrip("/"), "Packages")


def forget_index(of="an older index"):
    """What was read from another server of that name would be taken for newer than what this one offers."""
    path = cached_index()
    if os.path.exists(path):
        os.remove(path)
        print("removed %s, Portage's copy of %s" % (path, of))


def other_binrepos():
    import portage

    try:
        from portage.binrepo.config import BinRepoConfigLoader
    except ImportError:
        return []
    loaded = BinRepoConfigLoader([os.path.join(ETC, "binrepos.conf")], portage.settings)
    return [repo for repo in loaded.values() if (repo.sync_uri or "").rstrip("/") != URL]


def tell_of_others():
    for repo in other_binrepos():
        name = clean(repo.name or "PORTAGE_BINHOST")
        print("There are packages of %s as well (%s)." % (name, hide_password(repo.sync_uri)))
        print("  Of two of one version Portage takes the one that was built later, whatever the priority.")
        # What an older Portage does not know it passes over in silence.
        if repo.name and hasattr(repo, "getbinpkg_exclude"):
            print("  To have the builder's alone, below [%s] in %s:" % (name, file_of_section(repo.name)))
            print("  getbinpkg-exclude = */*")
        else:
            print("  To have the builder's alone, take that out.")


def file_of_section(name):
    """The file of binrepos.conf that has a section."""
    for path in files_of("binrepos.conf"):
        if any(line.strip() == "[%s]" % name for line in text_of(path).splitlines()):
            return clean(path)
    return os.path.join(ETC, "binrepos.conf")


def hide_password(url):
    import re

    return re.sub(r"//[^/@]*@", "//", clean(url))


def try_url():
    """Asks the builder, and says what it answers."""
    try:
        release = fetch_json("release.json")
        if release is None and fetch("Packages", 256 << 20) is None:
            print("%s answers, and nothing is published there yet." % URL)
            return DONE
    except Silent as silent:
        print("%s does not answer: %s. All is written. When it should answer: sh %s check" % (URL, silent, SCRIPT), file=sys.stderr)
        return NO_ANSWER
    if release is None:
        print("%s answers." % URL)
        return DONE
    packages = len(release.get("packages") or [])
    print("%s answers: release %s, %s" % (URL, clean(release.get("id")), count(packages, "package")))
    for problem in (other_key(release), no_fetcher()):
        if problem:
            print(problem, file=sys.stderr)
    return DONE


def no_fetcher():
    """What is to be said when the program is not here that Portage fetches packages with: emerge dies of that."""
    import shlex
    from urllib.parse import urlparse

    import portage
    from portage.process import find_binary

    kind = urlparse(URL).scheme
    if kind not in ("http", "https"):
        return None
    variables = ("FETCHCOMMAND_" + kind.upper(), "FETCHCOMMAND")
    name = next((name for name in variables if portage.settings.get(name)), None)
    try:
        words = shlex.split(portage.settings.get(name, "")) if name else []
    except ValueError:
        words = []
    if not words or "$" in words[0] or find_binary(words[0]):
        return None
    return "Portage fetches packages with %s (%s), which is not here." % (clean(words[0]), name)


def other_key(release):
    """What is to be said when packages are signed otherwise than this script knows."""
    signed = release.get("signed")
    if signed == KEY:
        return None
    known = {None: "unsigned packages", "": "none that were published"}.get(KEY, "the key %s" % KEY)
    now = "signed with the key %s" % clean(signed) if signed else "not signed"
    return "The packages are %s now, and this script knows %s: fetch it from the builder again, and run it." % (now, known)


def setup(*args):
    need_root()
    refuse_the_builder()
    binrepos, make_conf = settings_of_setup()
    strays = binrepos.strays() + make_conf.strays()
    made = [what for setting in [binrepos] + strays for what in made_by_setup(setting)]
    if not os.path.exists(binrepos.top):
        made.append("directory")
    if KEY:
        to_make = [what for what in to_trust() if what not in made]
        if to_make:
            made += to_make
            binrepos.note(made)
        trust()
    verify = VERIFIED if KEY else UNKNOWN if KEY == "" else UNVERIFIED
    text = BINREPO % URL + verify + "".join("%s%s\n" % (MADE, what) for what in made)
    moved = binrepos.put(text)
    changed = make_conf.put(MAKE_CONF)
    for stray in strays:
        stray.remove()
    if moved:
        forget_index()
    exit_code = try_url()
    tell_of_others()
    if moved or changed:
        hook = hook_of_check()
        print("What would be compiled here all the same:  sh %s check" % SCRIPT)
        print("To be told after each sync:")
        print("  mkdir -p %s" % os.path.dirname(hook))
        print("  printf '#!/bin/sh\\nsh %s check || :\\n' >%s" % (os.path.abspath(SCRIPT), hook))
        print("  chmod +x %s" % hook)
    if "--tree" in args:
        return setup_trees()
    return exit_code


def hook_of_check():
    return os.path.join(ETC, "postsync.d/gbsup")


def undo_hook():
    """Takes away the lines that setup told to type; whether they were there."""
    import re

    text = read(hook_of_check())
    if text is None:
        return False
    if not re.fullmatch("#!/bin/sh\nsh [^\n]+ check \\|\\| :\n", text):
        print("%s is not as setup said it, and stays" % hook_of_check())
        return False
    os.remove(hook_of_check())
    print("removed", hook_of_check())
    return True


def undo():
    import shutil

    need_root()
    refuse_the_builder()
    binrepos, make_conf = settings_of_setup()
    strays = binrepos.strays() + make_conf.strays()
    made = [what for setting in [binrepos] + strays for what in made_by_setup(setting)]
    if any(what.startswith("key") for what in made) and not shutil.which("gpg"):
        raise Refused("There is no gpg here to take the builder's key out of %s: nothing was changed." % os.path.join(ETC, "gnupg"))
    parts = [setting.part or "" for setting in [binrepos] + strays]
    url = [line for part in parts for line in part.splitlines() if line.startswith("sync-uri = ")]
    removed = undo_trees()
    removed = binrepos.remove() or removed
    removed = make_conf.remove() or removed
    for stray in strays:
        removed = stray.remove() or removed
    removed = undo_hook() or removed
    if "directory" in made and not binrepos.is_file and not os.listdir(binrepos.top):
        os.rmdir(binrepos.top)
    keys = os.path.join(ETC, "gnupg")
    for key in [what[len("key ") :] for what in made if what.startswith("key ")]:
        if has_key(key):
            distrust(key)
    if "keyring" in made and os.path.isdir(keys):
        # Gentoo's own tool puts its keys there too, and would make it again.
        if not gpg("--list-keys").stdout.strip():
            shutil.rmtree(keys)
            print("removed", keys)
    if url:
        global URL
        URL = url[0].split(" = ", 1)[1].strip()
        forget_index("its index")
    if not removed:
        print("There is nothing of setup here.")
    return DONE
