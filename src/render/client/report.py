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


def takes_none(settings):
    """What is to be said where emerge takes no binary package by itself; the resolver was asked with --getbinpkg."""
    if "getbinpkg" in settings.features:
        return None
    for word in settings.get("EMERGE_DEFAULT_OPTS", "").split():
        name, _, value = word.partition("=")
        short = name[1:2].isalpha() and set("gG") & set(name)
        if (name in ("--getbinpkg", "--getbinpkgonly") or short) and value not in ("n", "False"):
            return None
    return "emerge compiles all of it unless it is told --getbinpkg: FEATURES has no getbinpkg, which sh %s setup adds" % SCRIPT


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
        done = "emerge -uDU @world would "
        if self.binary:
            done += "install %s and compile %s" % (count(len(self.binary), "binary package"), len(self.compile) or "nothing")
        else:
            done += "compile " + count(len(self.compile), "package") if self.compile else "install and compile nothing"
        if not self.compile:
            return [done + "."]
        known = [entry["seconds"] for entry in self.compile if entry["seconds"] is not None]
        time = ""
        if known:
            time = ", %s %s" % ("about" if len(known) == len(self.compile) else "at least", in_words(sum(known)))
        lines = ["%s%s:" % (done, time)]
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
        return lines + self.advice(here)

    def advice(self, here):
        """What to type so that it would not be compiled here."""
        trees = [(cause, packages) for cause, packages in self.drift if cause.what == "tree" and packages]
        of_trees = {package for _, packages in trees for package in packages}
        lines = []
        if any(entry["package"] not in of_trees for entry in self.compile):
            lines += [
                "To have the builder build for this machine: sh %s capture > %s.tar" % (SCRIPT, clean(here)),
                "and there: make update CONFIG=%s.tar" % clean(here),
            ]
        # Another configuration there would not bring what is in no tree there.
        offered = self.release.get("trees") or {}
        if any(cause.there in offered and cause.here != BEHIND % cause.there for cause, _ in trees):
            lines.append("To sync what the packages there were built from: sh %s setup --tree" % SCRIPT)
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
    report.problem = report.problem or newer_copy(report.release) or (
        (takes_none(resolved.settings) or no_fetcher()) if resolved.binary else None
    )
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
