# --- check: what would be compiled ------------------------------------------------------------------


class Unresolved(Exception):
    """Portage finds no way; its words."""


class Resolved:
    """What Portage's resolver would do here."""

    def __init__(self, graph, words):
        self.graph, self.words = graph, words
        self.settings = graph._frozen_config.settings
        merged = [pkg for pkg in graph.altlist() if getattr(pkg, "operation", None) == "merge"]
        self.binary = [pkg for pkg in merged if pkg.built]
        self.compiled = [pkg for pkg in merged if not pkg.built]


def options():
    """What emerge is asked: the update of everything."""
    return ["--pretend", "--update", "--deep", "--changed-use", "--getbinpkg", "@world"]


def resolve():
    """One run of Portage's own resolver, with the options that are configured (EMERGE_DEFAULT_OPTS).

    It is emerge as it is, up to where it would show its plan. Asked to pretend, it goes by its copy of an index where the
    server does not answer, and an emerge that installs does not: so it is not told of that, and repositories that do not
    answer have nothing.
    """
    import io
    import logging

    from _emerge import depgraph as depgraph_module
    from _emerge.main import emerge_main
    from portage.dbapi import bintree as bintree_module

    graphs = []

    def display(self, *args, **kwargs):
        graphs.append(self)
        return 0

    populate = bintree_module.binarytree._populate_remote

    def populate_remote(self, *args, **kwargs):
        if "pretend" in kwargs:
            kwargs["pretend"] = False
        return populate(self, *args, **kwargs)

    depgraph_module.depgraph.display = display
    bintree_module.binarytree._populate_remote = populate_remote
    # The keys are none of the resolver's business, and this changes nothing.
    bintree_module.binarytree._run_trust_helper = lambda self: None
    for name in ("EMERGE_WARNING_DELAY", "CLEAN_DELAY"):
        os.environ[name] = "0"
    words = io.StringIO()
    out, err = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = words
    try:
        code = emerge_main(options())
    except SystemExit as left:
        code = left.code
    finally:
        sys.stdout, sys.stderr = out, err
        logging.disable(logging.NOTSET)
    if not graphs:
        raise Unresolved(words.getvalue().strip() or "emerge ended with %s and said nothing" % code)
    return Resolved(graphs[-1], words.getvalue())


# --- check: why --------------------------------------------------------------------------------------


class Offered:
    """What the builder offers, and what it says of itself."""

    def __init__(self, release, fingerprint, resolved):
        self.release = release
        packages = [package for package in release.get("packages") or [] if isinstance(package, dict)]
        self.seconds = {p.get("cpv"): p["seconds"] for p in packages if isinstance(p.get("seconds"), int)}
        held = [held for held in release.get("held") or [] if isinstance(held, dict)]
        self.held = {held.get("cpv"): clean(held.get("what")) for held in held}
        facts = fingerprint.get("facts") or []
        self.facts = [fact for fact in facts if isinstance(fact, dict) and "kind" in fact and "name" in fact]
        self.tree = resolved.graph._frozen_config.trees[resolved.settings["EROOT"]]["bintree"].dbapi

    def fact(self, kind, name):
        """The first fact of this kind and name; an empty one when it says none."""
        return next((fact for fact in self.facts if fact["kind"] == kind and fact["name"] == name), {})

    def revisions(self, repository):
        """The commits that the tree of the release goes by: where the builder has it from, and where its clients do."""
        there = (self.release.get("revisions") or {}).get(repository) or self.fact("repository", repository).get("value")
        return [revision for revision in (there, self.commit(repository)) if revision]

    def commit(self, repository):
        """The commit of what clients sync with this release; None when they cannot."""
        tree = (self.release.get("trees") or {}).get(repository)
        return tree.get("commit") if isinstance(tree, dict) else None

    def versions(self, pkg):
        """The builds of any version of it that are offered, by whomever, the newest last."""
        return self.tree.cp_list(pkg.cp)

    def builds(self, pkg):
        """The builds of exactly this version."""
        return [cpv for cpv in self.versions(pkg) if cpv == pkg.cpv]

    def seconds_of(self, pkg):
        """How long it takes there, or another version of it; None when that is not known."""
        from portage.versions import cpv_getkey

        if pkg.cpv in self.seconds:
            return self.seconds[pkg.cpv]
        others = [seconds for cpv, seconds in self.seconds.items() if cpv and cpv_getkey(cpv) == pkg.cp]
        return max(others) if others else None


def flags_that_differ(pkg, offered):
    """Which flags the nearest build of this version has otherwise than they are wanted here, as they are wanted."""
    best = None
    for cpv in offered.builds(pkg):
        use, iuse = (text.split() for text in offered.tree.aux_get(cpv, ["USE", "IUSE"]))
        known = set(flag.lstrip("+-") for flag in iuse)
        there, here = set(use) & known, set(pkg.use.enabled) & set(pkg.iuse.all)
        wanted = [flag for flag in sorted(here - there)] + ["-" + flag for flag in sorted(there - here)]
        if best is None or len(wanted) < len(best):
            best = wanted
    return best or []


# A repository that is synced from the builder, and is not what it offers now.
BEHIND = "not that of the release (emaint sync -r %s brings it)"


class Cause:
    """Something that is otherwise here than there."""

    def __init__(self, what, here, there="", place=None):
        self.what, self.here, self.there, self.place = what, here, there, place

    def key(self):
        return self.what, self.here, self.there, self.place or ""


def reason(pkg, offered, places):
    """Why a package is compiled: in words, and by which causes."""
    excluded = places.excluded.findAtomForPackage(pkg)
    if excluded:
        return "excluded by --usepkg-exclude", [Cause("options", "--usepkg-exclude %s" % excluded, "it is offered")]
    if offered.builds(pkg):
        flags = flags_that_differ(pkg, offered)
        if flags:
            return "USE " + " ".join(flags), [use_cause(pkg, flag, offered, places) for flag in flags]
        patch = places.patches(pkg)
        if patch:
            return "patched here", [Cause("patches", pkg.cp + " is patched", "it is not", patch)]
        return "its ebuild has other dependencies there", [tree_cause(pkg, offered, places)]
    if pkg.cpv in offered.held:
        return "held back there: " + offered.held[pkg.cpv], [Cause("held", "wanted", offered.held[pkg.cpv])]
    known = [fact["name"] for fact in offered.facts if fact["kind"] == "repository"]
    if known and pkg.repo not in known:
        words = "the repository %s is only here" % pkg.repo
        return words, [Cause("overlay", pkg.repo, "it has no such repository")]
    keyword = places.of_keywords(pkg)
    if keyword and not accepted_there(pkg, keyword[0], offered):
        return "%s is only accepted here" % keyword[0], [
            Cause("keywords", "%s for %s" % (keyword[0], pkg.cp), "it is not accepted", keyword[1])
        ]
    unmasked = places.of_unmask(pkg)
    if unmasked and not offered.fact("package.unmask", pkg.cp):
        return "unmasked here", [Cause("unmask", pkg.cp, "it is masked", unmasked)]
    versions = offered.versions(pkg)
    if not versions:
        asked = places.of_world(pkg)
        if asked and not offered.fact("world", pkg.cp):
            return "only in the world of this machine", [Cause("world", pkg.cp, "it is not in the world", asked)]
        return "no version of it is offered", [tree_cause(pkg, offered, places)]
    names = ", ".join(cpv.split("/", 1)[1] for cpv in sorted(set(versions), key=str))
    hidden = hidden_here(pkg, versions, places)
    if hidden:
        return "only %s is offered, which is not accepted here" % names, [hidden]
    return "only %s is offered" % names, [tree_cause(pkg, offered, places)]


def use_cause(pkg, flag, offered, places):
    """Which line turns a flag; here, or there where nothing is said here."""
    place = places.of_use(pkg, flag)
    there = flag[1:] if flag.startswith("-") else "-" + flag
    if place is None:
        facts = [f for f in offered.facts if f["kind"] == "package.use" and pkg.cp in f["name"] and there in f["value"].split()]
        facts += [f for f in offered.facts if f["kind"] == "use" and f["name"] == flag.lstrip("-")]
        if facts and facts[0].get("place"):
            there += " (%s)" % clean(facts[0]["place"])
    return Cause("USE", flag, there, place)


def accepted_there(pkg, keyword, offered):
    accepted = offered.fact("accept", "ACCEPT_KEYWORDS").get("value", "").split()
    lines = [f for f in offered.facts if f["kind"] == "package.accept_keywords" and pkg.cp in f["name"]]
    return keyword in accepted or any(not f["value"] or keyword in f["value"].split() for f in lines)


def hidden_here(pkg, versions, places):
    """Why the newest version that is offered is none for this machine."""
    from portage.package.ebuild.getmaskingstatus import getmaskingstatus
    from portage.versions import vercmp

    newest = versions[-1]
    if vercmp(newest.version, pkg.version) <= 0:
        return None
    try:
        status = getmaskingstatus(newest, settings=places.clone(), portdb=places.resolved_tree)
    except Exception:  # Whatever it cannot tell of a package that only the builder has.
        return None
    if not status:
        return None
    place = next((place for _, _, place in reversed(places.matching_cpv("package.mask", newest))), None)
    return Cause("mask" if place else "keywords", "%s: %s" % (newest, ", ".join(status)), "it is accepted", place)


def tree_cause(pkg, offered, places):
    """The tree, when it is another one there; else that it is not built."""
    here, there = places.revision(pkg.repo), offered.revisions(pkg.repo)
    if here[0] and here[0] in there:
        return Cause("offer", "the same tree", "it is not offered")
    if follows(places.settings, pkg.repo):
        return Cause("tree", BEHIND % pkg.repo, pkg.repo)
    return Cause("tree", age(here[1], offered.fact("repository-time", pkg.repo).get("value")), pkg.repo)


def age(here, there):
    """How much newer the tree of this machine is."""
    if here is None or not str(there or "").isdigit():
        return "another one"
    apart = here - int(there)
    return "as old" if not apart else "%s %s" % (in_words(abs(apart)), "newer" if apart > 0 else "older")


def in_words(seconds):
    """A time as people say it."""
    for unit, name, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            rest = seconds % unit // part
            return "%d %s" % (seconds // unit, name) + (" %d %s" % (rest, small) if rest and name == "h" else "")
    return "%d s" % seconds


def lacking(offered):
    """Which instructions the builder's packages may use and this CPU has not; nothing where that is not known."""
    needs, has = offered.fact("needs", "instructions"), cpu_flags()
    if not has:
        return needs, []
    return needs, [need for need in needs.get("value", "").split() if INSTRUCTIONS.get(need, need) not in has]


def cpu_flags():
    """What the CPU can do, by the names of /proc/cpuinfo; nothing where that is not known."""
    for line in text_of("/proc/cpuinfo").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return set(flags.split())
    return set()


def machine_causes(offered, settings):
    """What is otherwise and concerns all packages."""
    needs, lacks = lacking(offered)
    if lacks:
        march = offered.fact("march", "gcc").get("value", "")
        here = "this CPU lacks " + ", ".join(lacks)
        yield Cause("CFLAGS", here, "-march=%s needs %s" % (march, ", ".join(needs["value"].split())), needs.get("place"))
    for name in sorted(offered.release.get("trees") or {}):
        there = offered.commit(name)
        if there and follows(settings, name) and revision_of(settings.repositories[name].location)[0] != there:
            yield Cause("tree", BEHIND % name, name)
    for what, kind, name, here in (
        ("profile", "profile", "make.profile", profile_of(settings)),
        ("CHOST", "machine", "CHOST", settings.get("CHOST", "")),
        ("ARCH", "machine", "ARCH", settings.get("ARCH", "")),
    ):
        there = offered.fact(kind, name).get("value")
        if there and there != here:
            yield Cause(what, here, clean(there), None)
