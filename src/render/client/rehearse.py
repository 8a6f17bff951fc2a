# --- rehearse: as a client, where the builder is ------------------------------------------------------
#
# This runs without rights, in a directory made of a client's capture (PORTAGE_CONFIGROOT), and what it reads there is a stranger's:
# settings may name programs, and sets may be classes. So it gives up starting programs for good before it reads any of that.

# Which options of the client are heeded: none of them names a program or a file.
HEEDED = (
    "--backtrack --binpkg-changed-deps --binpkg-respect-use --changed-deps --changed-slot --changed-use --complete-graph --deep"
    " --dynamic-deps --exclude --ignore-built-slot-operator-deps --implicit-system-deps --newuse --rebuilt-binaries --usepkg-exclude"
    " --useoldpkg-atoms --usepkgonly --with-bdeps --with-bdeps-auto --with-test-deps"
).split()
# What some of them are called in short. Packages of the builder are at hand here, and come from no server.
SHORT = {"D": "--deep", "G": "--usepkgonly", "K": "--usepkgonly", "N": "--newuse", "U": "--changed-use"}
# Versions of which nobody has asked the ebuild yet; a program would have to be started for it.
UNREAD = set()
# So many are told at a time.
MOST_UNREAD = 2000


def as_the_client(top):
    """Points at the client's world and at what is installed there, before any module of Portage asks where they are."""
    import portage
    import portage.const

    # They are put behind the root directory, which is the builder's.
    below = top.strip("/") + "/"
    for name in ("VDB_PATH", "CACHE_PATH", "PRIVATE_PATH", "WORLD_FILE", "WORLD_SETS_FILE", "CONFIG_MEMORY_FILE", "REPO_REVISIONS"):
        value = getattr(portage.const, name, None)
        if value:
            for module in (portage.const, portage):
                if hasattr(module, name):
                    setattr(module, name, below + value)


def without_programs(program):
    """From now on the kernel refuses to start programs, to reach a network, and more (seccomp(2)). Raises OSError when it does not know how."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
    code = bytes.fromhex(program)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(len(code) // 8, code)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        os.execv("/bin/false", ["false"])
    except PermissionError:
        pass


def know_the_unread():
    """Has ebuilds noted that would have to be run to be known, in the place of running them."""
    from _emerge.FakeVartree import FakeVartree
    from portage.dbapi.porttree import portdbapi
    from portage.exception import PortageKeyError

    pull = portdbapi._pull_valid_cache

    def known(self, cpv, ebuild_path, repo_path):
        found = pull(self, cpv, ebuild_path, repo_path)
        if found[0] is None:
            UNREAD.add("%s::%s" % (cpv, self.repositories.get_name_for_location(repo_path)))
            raise PortageKeyError(cpv)
        return found

    def tasks(self, pkgs):
        for pkg in pkgs:
            metadata = None
            path, repo_path = self._portdb.findname2(pkg.cpv, myrepo=pkg.repo)
            if path is not None:
                try:
                    metadata = self._portdb._pull_valid_cache(pkg.cpv, path, repo_path)[0]
                except KeyError:
                    pass
            self._dynamic_deps_preload(pkg, metadata)
        return
        yield

    portdbapi._pull_valid_cache = known
    FakeVartree._dynamic_deps_tasks = tasks


MACHINE = {}


def options():
    """What emerge is asked on the client, behind those of its own options that are heeded: what is typed wins over what is configured."""
    words = [str(word) for word in MACHINE.get("emerge_default_opts") or []]
    own = []
    for at, word in enumerate(words):
        if word[:1] == "-" and word[1:].isalpha():
            own += [SHORT[letter] for letter in word[1:] if letter in SHORT]
            continue
        name, equals, value = word.partition("=")
        if name == "--getbinpkgonly":
            name = "--usepkgonly"
        if name not in HEEDED:
            continue
        own.append(name + equals + value)
        if not equals and at + 1 < len(words) and not words[at + 1].startswith("-"):
            own.append(words[at + 1])
    return own + ["--pretend", "--update", "--deep", "--changed-use", "--usepkg", "@world"]


def cpu_flags():
    """What the CPU of the client can do."""
    return set(MACHINE.get("cpu") or [])


_profile_of = profile_of


def profile_of(settings):
    """The client's, as it is called there."""
    return str(MACHINE.get("profile") or _profile_of(settings))


def tree_cause(pkg, offered, places):
    """The tree is the release's here, so it is no reason."""
    return Cause("offer", "the same tree", "it is not offered")


def follows(settings, repository):
    """Nor is it behind what the builder offers."""
    return False


def of_the_client(kind, name):
    """A fact of the client as it was captured; None without one."""
    facts = [fact for fact in MACHINE.get("facts") or [] if isinstance(fact, dict)]
    return next((fact.get("value") for fact in facts if fact.get("kind") == kind and fact.get("name") == name), None)


def seconds_of(text):
    return int(text) if str(text or "").isdigit() else None


def what_differs(offered, settings):
    """What concerns all packages, a sentence each."""
    for cause in machine_causes(offered, settings):
        if cause.what == "CFLAGS":
            yield "%s: %s; packages may die there" % (cause.there, cause.here.replace("this CPU", "its CPU"))
        else:
            yield "%s: it has %s, the builder has %s" % (cause.what, cause.here, cause.there)
    for repo in settings.repositories:
        # The tree of the release comes to it with the packages.
        if repo.name in (MACHINE.get("follows") or []):
            continue
        here, there = of_the_client("repository", repo.name), offered.revisions(repo.name)
        if here and there and here not in there:
            here, there = of_the_client("repository-time", repo.name), offered.fact("repository-time", repo.name).get("value")
            apart = age(seconds_of(here), there)
            yield "tree: its %s was %s when it was captured; this is about the tree of the builder" % (repo.name, apart)
    known = [repo.name for repo in settings.repositories]
    elsewhere = {}
    for package in installed(settings):
        if package and package not in known:
            elsewhere[package] = elsewhere.get(package, 0) + 1
    for name, number in sorted(elsewhere.items()):
        what = "%s there from %s" % (count(number, "package"), name)
        yield "overlay: %s, which the builder does not have; what becomes of that is not known here" % what


def installed(settings):
    """The repository that each installed package is from."""
    import portage

    tree = portage.db[settings["EROOT"]]["vartree"].dbapi
    return [tree.aux_get(cpv, ["repository"])[0] for cpv in tree.cpv_all()]


def said(**what):
    what["unread"] = sorted(UNREAD)[:MOST_UNREAD]
    # Portage may have said something without an end.
    print("\ngbsup rehearsal: " + json.dumps(what))


def rehearse(program):
    global MACHINE
    as_the_client(ROOT)
    import _emerge.actions  # noqa: F401
    import _emerge.depgraph  # noqa: F401
    import _emerge.main  # noqa: F401
    import portage.process
    from portage.exception import PortageException

    know_the_unread()
    # It is asked whether there is a bash that works, before anything else.
    portage.process.spawn_bash = lambda *args, **kwargs: 0
    try:
        without_programs(program)
    except OSError as error:
        return said(binary=0, compile=[], problem="the kernel does not let programs be forbidden (seccomp): %s" % error.strerror)
    MACHINE = json.loads(text_of(os.path.join(ROOT, "machine.json")))
    release = json.loads(text_of(os.path.join(ROOT, "release.json")) or "{}")
    fingerprint = json.loads(text_of(os.path.join(ROOT, "fingerprint.json")) or "{}")
    try:
        resolved = resolve()
    except Unresolved as unresolved:
        words = " ".join(str(unresolved).split())
        return said(binary=0, compile=[], problem="Portage finds no way to update @world: " + clean(words))
    except PortageException as error:
        # Such as a file that make.conf reads in (source), and that no capture has.
        words = "%s: %s" % (type(error).__name__, error)
        return said(binary=0, compile=[], problem="Portage does not take its configuration: " + clean(words))
    offered = Offered(release, fingerprint, resolved)
    places = Places(resolved, offered.tree)
    compiled = []
    for pkg in resolved.compiled:
        words, causes = reason(pkg, offered, places)
        place = next((cause.place for cause in causes if cause.place), None)
        causes = [{"what": cause.what, "here": cause.here} for cause in causes]
        compiled.append(
            {"package": str(pkg.cpv), "why": words, "place": place, "seconds": offered.seconds_of(pkg), "causes": causes}
        )
    said(binary=len(resolved.binary), compile=compiled, drift=list(what_differs(offered, resolved.settings)), problem=None)


rehearse(sys.argv[2])
