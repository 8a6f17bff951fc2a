# --- What decides whether a package fits ------------------------------------------------------------
#
# The builder and its clients gather these by the same lines, so that what is written in another order or with other comments is the
# same fact on both.

# Variables that reach every build, and those that say what may be installed: the latter are sets of words.
FLAGS = ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "FFLAGS", "FCFLAGS", "LDFLAGS", "RUSTFLAGS")
ACCEPT = ("ACCEPT_KEYWORDS", "ACCEPT_LICENSE", "ACCEPT_PROPERTIES", "ACCEPT_RESTRICT")
# Settings for single packages: an atom and words (portage(5)).
PACKAGE_SETTINGS = (
    "package.use",
    "package.accept_keywords",
    "package.keywords",
    "package.mask",
    "package.unmask",
    "package.license",
    "package.env",
    "package.properties",
    "package.accept_restrict",
    "profile/package.provided",
    "profile/package.use",
    "profile/package.use.mask",
    "profile/package.use.force",
    "profile/use.mask",
    "profile/use.force",
    "profile/package.mask",
    "profile/package.unmask",
)
# Those of FEATURES after which packages are others.
FEATURES = "compressdebug dedupdebug installsources nodoc noinfo noman nostrip splitdebug test xattr".split()
TOOLS = (
    "sys-apps/portage",
    "sys-devel/gcc",
    "sys-devel/binutils",
    "llvm-core/clang",
    "sys-libs/glibc",
    "sys-libs/musl",
    "dev-lang/python",
    "dev-lang/perl",
    "dev-lang/ruby",
    "dev-lang/rust",
    "dev-lang/rust-bin",
    "dev-lang/lua",
)
# What a compiler emits by itself or a package asks for by its macro, by the name of gcc's option, and what /proc/cpuinfo calls it.
INSTRUCTIONS = {
    "3dnow": "3dnow", "adx": "adx", "aes": "aes", "avx": "avx", "avx2": "avx2", "avx512bf16": "avx512_bf16",
    "avx512bitalg": "avx512_bitalg", "avx512bw": "avx512bw", "avx512cd": "avx512cd", "avx512dq": "avx512dq",
    "avx512f": "avx512f", "avx512fp16": "avx512_fp16", "avx512ifma": "avx512ifma", "avx512vbmi": "avx512vbmi",
    "avx512vbmi2": "avx512_vbmi2", "avx512vl": "avx512vl", "avx512vnni": "avx512_vnni",
    "avx512vpopcntdq": "avx512_vpopcntdq", "avxvnni": "avx_vnni", "bmi": "bmi1", "bmi2": "bmi2", "cx16": "cx16",
    "f16c": "f16c", "fma": "fma", "fma4": "fma4", "fsgsbase": "fsgsbase", "gfni": "gfni", "lzcnt": "abm",
    "movbe": "movbe", "pclmul": "pclmulqdq", "popcnt": "popcnt", "prfchw": "3dnowprefetch", "rdrnd": "rdrand",
    "sahf": "lahf_lm", "sha": "sha_ni", "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "sse4a": "sse4a",
    "ssse3": "ssse3", "tbm": "tbm", "vaes": "vaes", "vpclmulqdq": "vpclmulqdq", "xop": "xop", "xsave": "xsave",
    "xsavec": "xsavec", "xsaveopt": "xsaveopt",
}  # fmt: skip


def short(path):
    """A file as people call it: below /etc/portage, or of Portage's state, without that."""
    for top in (ETC, os.path.join(ROOT, "var/lib/portage")):
        if path.startswith(top + "/"):
            return os.path.relpath(path, top)
    return path


def files_of(name):
    """The files of a setting, which may be a directory, in the order in which Portage reads them."""
    from portage.util import _recursive_file_list

    path = os.path.join(ETC, name)
    return list(_recursive_file_list(path)) if os.path.exists(path) else []


def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def lines_of(path):
    """The lines of a file with their words and without comments, each with its place."""
    for number, line in enumerate(text_of(path).splitlines(), 1):
        words = []
        for word in line.split():
            if word.startswith("#"):
                break
            words.append(word)
        if words:
            yield words, "%s:%d" % (short(path), number)


def expanded(words):
    """The flags of a line of package.use: after NAME: come values of a USE_EXPAND."""
    prefix = ""
    for word in words:
        if word.endswith(":"):
            prefix = word[:-1].lower() + "_"
        elif word.startswith("-"):
            yield "-" + prefix + word[1:]
        else:
            yield prefix + word


def assignments(path, depth=8):
    """What a make.conf assigns: (name, [(word, place)], place), in its order; with what it has read in (source)."""
    import re

    text = text_of(path)
    at, line = 0, 1
    begin = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=|(source|\.)[ \t]+([^\s#]+)")
    while at < len(text):
        c = text[at]
        if c.isspace():
            line += c == "\n"
            at += 1
            continue
        found = begin.match(text, at) if c != "#" else None
        if not found:
            at = text.find("\n", at)
            if at < 0:
                return
            continue
        at = found.end()
        if found.group(2):
            name = found.group(3).strip("\"'")
            if depth:
                yield from assignments(os.path.join(os.path.dirname(path), name), depth - 1)
            continue
        where, words, word, word_line, quote = line, [], "", line, None
        while at < len(text):
            c = text[at]
            if c == "\\" and quote != "'" and at + 1 < len(text):
                at += 1
                if text[at] != "\n":
                    word += text[at]
                line += text[at] == "\n"
            elif quote is None and c in "\"'":
                quote = c
            elif c == quote:
                quote = None
            elif c.isspace():
                if quote is None:
                    break
                if word:
                    words.append((word, "%s:%d" % (short(path), word_line)))
                word = ""
                line += c == "\n"
            else:
                if not word:
                    word_line = line
                word += c
            at += 1
        if word:
            words.append((word, "%s:%d" % (short(path), word_line)))
        yield found.group(1), words, "%s:%d" % (short(path), where)


def make_conf():
    """What all of make.conf assigns."""
    files = [os.path.join(ROOT, "etc/make.conf")] if os.path.isfile(os.path.join(ROOT, "etc/make.conf")) else []
    return [found for path in files + files_of("make.conf") for found in assignments(path)]


def digest(path):
    import hashlib

    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def profile_of(settings):
    """The profile by its repository and its path there."""
    path = os.path.realpath(os.path.join(ETC, "make.profile"))
    for repo in settings.repositories:
        top = os.path.realpath(os.path.join(repo.location, "profiles")) + "/"
        if path.startswith(top):
            return "%s:%s" % (repo.name, path[len(top) :])
    return path


def whose(place):
    """How a program is run in a clone by root: the settings of a clone name programs, so that these run as whoever owns it, as
    they do in Portage's own sync (make.conf(5), FEATURES, usersync)."""
    if os.geteuid() != 0:
        return {}
    for path in (place, os.path.join(place, ".git")):
        try:
            owner = os.lstat(path)
        except OSError:
            continue
        if owner.st_uid != 0:
            return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    return {}


def git(place, *args, **options):
    import subprocess

    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", place]
    env = dict(os.environ, GIT_TERMINAL_PROMPT="0", GIT_CEILING_DIRECTORIES=os.path.dirname(place), **options)
    owner = whose(place)
    if owner:
        # Git ends where it may not read root's settings.
        env["HOME"] = "/"
    pipe = subprocess.PIPE
    return subprocess.run(command + list(args), stdout=pipe, stderr=pipe, env=env, cwd="/", check=False, **owner)


# Which commit of the builder's a tree is of that came without git.
PLAIN_RECORD = ".gbsup-commit"


def commit_of_plain(location):
    """The commit of a tree that came from a builder without git, and its time in seconds; None of another one."""
    import hashlib
    import re

    try:
        with open(os.path.join(location, PLAIN_RECORD), "rb") as file:
            content = file.read(1 << 20)
    except OSError:
        return None
    made = re.search(rb"\ncommitter [^\n]*> ([0-9]{1,12}) ", content)
    return hashlib.sha1(b"commit %d\0" % len(content) + content).hexdigest(), int(made.group(1)) if made else None


def revision_of(location):
    """The commit of a repository and its time in seconds, as far as it has such."""
    import calendar
    import time

    plain = commit_of_plain(location)
    if plain is not None:
        return plain
    if os.path.isdir(os.path.join(location, ".git")):
        # What was never fetched is not fetched for it.
        try:
            said = git(location, "log", "-1", "--format=%H %ct", GIT_NO_LAZY_FETCH="1").stdout.split()
        except OSError:
            said = []
        if len(said) == 2:
            return said[0].decode(), int(said[1])
    # As the mirrors of rsync have it: the commit, its time, that as a date.
    words = text_of(os.path.join(location, "metadata/timestamp.commit")).split()
    if len(words) > 1 and words[1].isdigit():
        return words[0], int(words[1])
    stamp = text_of(os.path.join(location, "metadata/timestamp.chk")).strip()
    try:
        return "", calendar.timegm(time.strptime(stamp, "%a, %d %b %Y %H:%M:%S +0000"))
    except ValueError:
        return "", None


def instructions(flags):
    """What gcc makes of -march, and which instructions it demands beyond those of every x86-64."""
    import re
    import subprocess

    machine = [flag for flag in flags.split() if flag.startswith("-m")]

    def asked(options):
        command = ["gcc", "-Q", "--help=target"] + options
        env = dict(os.environ, LC_ALL="C")
        try:
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, check=False)
        except OSError:
            return None, set()
        if ran.returncode != 0:
            return None, set()
        text = ran.stdout.decode(errors="replace")
        march = re.search(r"^\s+-march=\s+(\S+)", text, re.M)
        return march and march.group(1), set(re.findall(r"^\s+-m(\S+)\s+\[enabled\]", text, re.M))

    march, enabled = asked(machine)
    _, common = asked(["-march=x86-64"])
    return march, sorted(name for name in enabled - common if name in INSTRUCTIONS)


def facts():
    """All of it: each fact is of a kind and has a name, a value, and the place it is from."""
    import portage

    settings = portage.config(clone=portage.settings)
    found = set()

    def add(kind, name, value, place=None):
        found.add((kind, str(name), str(value), place))

    add("machine", "ARCH", settings.get("ARCH", ""))
    add("machine", "CHOST", settings.get("CHOST", ""))
    add("profile", "make.profile", profile_of(settings), "make.profile")
    for repo in settings.repositories:
        revision, time = revision_of(repo.location)
        add("repository", repo.name, revision)
        if time is not None:
            add("repository-time", repo.name, time)
    assigned = make_conf()
    last = {name: place for name, _, place in assigned}
    for name in FLAGS:
        if settings.get(name):
            add("flags", name, " ".join(settings[name].split()), last.get(name))
    march, needs = instructions(settings.get("CFLAGS", ""))
    if march:
        add("march", "gcc", march, last.get("CFLAGS"))
        add("needs", "instructions", " ".join(needs), last.get("CFLAGS"))
    for name in ACCEPT:
        if settings.get(name):
            add("accept", name, " ".join(sorted(set(settings[name].split()))), last.get(name))
    expand = settings.get("USE_EXPAND", "").split()
    use = {}
    for name, words, place in assigned:
        if name == "USE":
            for word, where in words:
                if not word.startswith("$"):
                    use[word.lstrip("-")] = ("off" if word.startswith("-") else "on", where)
        elif name in expand:
            add("use-expand", name, " ".join(sorted(set(settings.get(name, "").split()))), place)
    for flag, (value, place) in use.items():
        add("use", flag, value, place)
    for setting in PACKAGE_SETTINGS:
        for path in files_of(setting):
            for words, place in lines_of(path):
                add(setting.replace("profile/", "profile "), words[0], " ".join(sorted(expanded(words[1:]))), place)
    for setting in ("env", "patches", "bashrc", "package.bashrc"):
        for path in files_of(setting):
            add(setting, short(path), digest(path), short(path))
    for path in files_of("sets"):
        add("set", os.path.basename(path), " ".join(sorted(words[0] for words, _ in lines_of(path))), short(path))
    state = os.path.join(settings["EROOT"], "var/lib/portage")
    for name in ("world", "world_sets"):
        for words, place in lines_of(os.path.join(state, name)):
            add("world", words[0], "", place)
    installed = portage.db[settings["EROOT"]]["vartree"].dbapi
    for tool in TOOLS:
        versions = installed.match(tool)
        if versions:
            add("tool", tool, " ".join(cpv[len(tool) + 1 :] for cpv in versions))
    if not installed.match("sys-apps/portage"):
        add("tool", "sys-apps/portage", portage.VERSION)
    for feature in FEATURES:
        if feature in settings.features:
            add("feature", feature, "on", last.get("FEATURES"))
    facts = [{"kind": kind, "name": name, "value": value, "place": place} for kind, name, value, place in found]
    return sorted(facts, key=lambda fact: (fact["kind"], fact["name"], fact["value"], fact["place"] or ""))
