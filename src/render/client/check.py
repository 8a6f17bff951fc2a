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


# --- check: what it says ------------------------------------------------------------------------------


def the_repository():
    """What is configured of the builder; its URL is the one that counts."""
    import portage
    from portage.binrepo.config import BinRepoConfigLoader

    global URL
    loaded = BinRepoConfigLoader([os.path.join(ETC, "binrepos.conf")], portage.settings)
    named = [repo for repo in loaded.values() if repo.name == "gbsup"]
    repos = named or [repo for repo in loaded.values() if (repo.sync_uri or "").rstrip("/") == URL]
    if not repos:
        raise Refused("This machine does not use the packages of %s yet: sh %s setup" % (URL, SCRIPT))
    URL = repos[0].sync_uri.rstrip("/")
    return repos[0]


def published(release):
    """When a release was made, in seconds; None when it does not say."""
    import datetime

    try:
        return int(datetime.datetime.fromisoformat(release["published"].replace("Z", "+00:00")).timestamp())
    except (KeyError, ValueError, AttributeError):
        return None


def follows(settings, repository):
    """Whether a repository is synced from the builder here."""
    try:
        place = settings.repositories[repository].location
    except KeyError:
        return False
    return (origin(place) or "").endswith("/tree/%s.git" % repository)


def newer_copy(release):
    """What is to be said when Portage holds on to a copy of the index that is newer than the builder's: it never replaces one by
    an older one, as that of a builder whose volume was restored, and asks for packages that are not there."""
    path = cached_index()
    made = published(release)
    stamps = [line.split()[1] for line in text_of(path).split("\n\n")[0].splitlines() if line.startswith("TIMESTAMP: ")]
    try:
        if made is None or int(stamps[0]) <= made:
            return None
    except (IndexError, ValueError):
        return None
    return "Portage goes by an index that is newer than what the builder offers, as after a restored backup: rm %s" % path


class Report:
    """What came of it."""

    def __init__(self):
        self.silent, self.release, self.problem = None, {}, None
        self.binary, self.compile, self.drift = [], [], []
        self.profile = None

    def add(self, cause, package=None):
        for known, packages in self.drift:
            if known.key() == cause.key():
                break
        else:
            packages = []
            self.drift.append((cause, packages))
        if package and package not in packages:
            packages.append(package)

    def exit_code(self):
        if self.silent:
            return NO_ANSWER
        return FINDINGS if self.compile or self.problem else DONE

    def as_json(self):
        drift = [
            {"what": c.what, "here": c.here, "there": c.there or None, "place": c.place, "packages": packages}
            for c, packages in self.drift
        ]
        value = {"schema": 1, "release": self.release.get("id"), "binary": len(self.binary), "install": self.binary}
        value.update({"compile": self.compile, "drift": drift, "problem": self.silent or self.problem})
        return json.dumps(value, indent=2)

    def text(self):
        import socket

        here = clean(socket.gethostname())
        if self.silent:
            return self.without_an_answer(here)
        named = "%s (release %s" % (host(), clean(self.release.get("id", "unknown")))
        nothing = "nothing to install or compile" if not self.binary else count(len(self.binary), "binary package")
        if not self.compile and not self.drift and not self.problem:
            return "%s fits %s): %s" % (here, named, nothing) + (", nothing to compile." if self.binary else ".")
        lines = ["%s and %s%s)" % (here, named, self.old()), ""]
        lines += self.table()
        if self.problem:
            lines += ["", self.problem]
        lines.append("")
        lines += self.list_of_compiled(here)
        return "\n".join(lines)

    def old(self):
        import datetime

        try:
            made = datetime.datetime.fromisoformat(self.release["published"].replace("Z", "+00:00"))
            seconds = (datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()
        except (KeyError, ValueError, AttributeError, TypeError):
            return ""
        return ", %s old" % in_words(max(0, int(seconds)))

    def without_an_answer(self, here):
        total = len(self.binary) + len(self.compile)
        if not total:
            rest = "%s has nothing to install or compile." % here
        elif not self.binary:
            all_of = "the only package" if total == 1 else "all %d packages" % total
            rest = "emerge -uDU @world would compile %s on %s." % (all_of, here)
        else:
            rest = "emerge -uDU @world would compile %d of %s on %s." % (len(self.compile), count(total, "package"), here)
        return "%s does not answer: %s\n%s" % (URL, self.silent, rest)

    def table(self):
        rows = []
        if self.profile:
            rows.append(("profile", "the same", "", ""))
        for cause, packages in self.drift:
            number = count(len(packages), "package") if packages else ""
            words, place = cause.here, cause.place or ""
            if cause.what == "tree":
                words = "this one (%s) is %s" % (cause.there, cause.here)
                if packages:
                    words += ": %s not built there" % ("1 package is" if len(packages) == 1 else "%d packages are" % len(packages))
                number = ""
            elif cause.what == "CFLAGS":
                march = cause.there.split(" needs ")[0]
                words, place = "%s there: %s; packages may die here" % (march, cause.here), ""
            elif cause.what in ("keywords", "mask", "unmask", "patches", "world"):
                words = "%s, there %s" % (cause.here, cause.there)
            elif cause.what == "USE" and not place:
                place = "there " + cause.there
            elif cause.what not in ("USE",):
                words = "%s here, there %s" % (cause.here, cause.there)
            rows.append((cause.what, words, place, number))
        order = ["tree", "profile", "ARCH", "CHOST", "CFLAGS", "USE"]
        rows.sort(key=lambda row: order.index(row[0]) if row[0] in order else len(order))
        narrow = [row for row in rows if row[2] or row[3]]
        first = max([len(row[1]) for row in narrow] or [0])
        second = max([len(row[2]) for row in narrow] or [0])
        lines, before = [], None
        for what, words, place, number in rows:
            name = what if what != before else ""
            before = what
            lines.append(("  %-9s %s  %s  %s" % (name, words.ljust(first), place.ljust(second), number)).rstrip())
        return lines

    def list_of_compiled(self, here, most=20):
        done = "emerge -uDU @world would install %s and compile " % count(len(self.binary), "binary package")
        if not self.compile:
            return [done + "nothing."]
        known = [entry["seconds"] for entry in self.compile if entry["seconds"] is not None]
        time = ""
        if known:
            time = ", %s %s" % ("about" if len(known) == len(self.compile) else "at least", in_words(sum(known)))
        lines = ["%s%d%s:" % (done, len(self.compile), time)]
        entries = sorted(self.compile, key=lambda entry: -(entry["seconds"] or 0))
        width = max(len(entry["package"]) for entry in entries[:most])
        times = ["" if entry["seconds"] is None else in_words(entry["seconds"]) for entry in entries]
        wide = max(len(time) for time in times[:most])
        for entry, time in list(zip(entries, times))[:most]:
            place = " (%s)" % entry["place"] if entry["place"] else ""
            line = "  %s  %s  %s%s" % (entry["package"].ljust(width), time.ljust(wide), entry["why"], place)
            lines.append(line if wide else line.replace("    ", "  ", 1))
        if len(entries) > most:
            lines.append("  and %d more (--json has all)" % (len(entries) - most))
        lines += [
            "To have the builder build for this machine: sh %s capture > %s.tar" % (SCRIPT, clean(here)),
            "and there: make update CONFIG=%s.tar" % clean(here),
        ]
        return lines


def check(*args):
    report = Report()
    repository = the_repository()
    fingerprint = {}
    try:
        release = fetch_json("release.json")
        if release is None and fetch("Packages", 256 << 20) is None:
            report.silent = "nothing is published there yet"
        report.release = release or {}
        fingerprint = fetch_json("fingerprint.json") or {}
    except Silent as silent:
        report.silent = str(silent)
    try:
        resolved = resolve()
    except Unresolved as unresolved:
        if "--json" in args:
            report.problem = str(unresolved)
            print(report.as_json())
            return NO_ANSWER
        print("Portage finds no way to update @world here, so nobody knows. Its words:\n", file=sys.stderr)
        print(unresolved, file=sys.stderr)
        return NO_ANSWER
    if report.release and repository.verify_signature:
        report.problem = other_key(report.release)
    report.problem = report.problem or newer_copy(report.release)
    offered = Offered(report.release, fingerprint, resolved)
    places = Places(resolved, offered.tree)
    report.binary = [str(pkg.cpv) for pkg in resolved.binary]
    for pkg in resolved.compiled:
        if report.silent:
            words, causes = "the builder does not answer", []
        else:
            words, causes = reason(pkg, offered, places)
        for cause in causes:
            report.add(cause, str(pkg.cpv))
        place = next((cause.place for cause in causes if cause.place), None)
        seconds = offered.seconds_of(pkg)
        report.compile.append({"package": str(pkg.cpv), "why": words, "place": place, "seconds": seconds})
    if not report.silent:
        for cause in machine_causes(offered, resolved.settings):
            report.add(cause)
        there = offered.fact("profile", "make.profile").get("value")
        report.profile = there and there == profile_of(resolved.settings)
    print(report.as_json() if "--json" in args else report.text())
    return report.exit_code()
