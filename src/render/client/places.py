# --- check: which line decides ----------------------------------------------------------------------


class Places:
    """The lines of this machine's configuration. Portage keeps layers and no lines, so a line is looked for in the layers from
    the strongest to the weakest (USE_ORDER), and counts when it says what came of it."""

    def __init__(self, resolved, tree):
        self.settings = resolved.settings
        self.excluded = resolved.graph._frozen_config.usepkg_exclude
        self.resolved_tree = tree
        self.assigned = make_conf()
        self.by_setting = {}
        self.revisions = {}

    def clone(self):
        import portage

        return portage.config(clone=self.settings)

    def revision(self, repository):
        """The commit and the time of a repository here."""
        if repository not in self.revisions:
            try:
                location = self.settings.repositories[repository].location
            except KeyError:
                location = "/nonexistent"
            self.revisions[repository] = revision_of(location)
        return self.revisions[repository]

    def entries(self, setting):
        """The lines of a setting for single packages as (atom, words, place); what is no atom is left out."""
        from portage.dep import Atom
        from portage.exception import InvalidAtom

        if setting not in self.by_setting:
            entries = []
            for path in files_of(setting):
                for words, place in lines_of(path):
                    try:
                        entries.append((Atom(words[0], allow_wildcard=True, allow_repo=True), words[1:], place))
                    except InvalidAtom:
                        continue
            self.by_setting[setting] = entries
        return self.by_setting[setting]

    def matching(self, setting, pkg):
        return self.matching_cpv(setting, pkg.cpv)

    def matching_cpv(self, setting, cpv):
        """Those that are about a package, the one that has the last word last."""
        from portage.dep import best_match_to_list, match_from_list
        from portage.exception import PortageException

        def matches(atom):
            try:
                if atom.extended_syntax:
                    return bool(match_from_list(atom, [cpv]))
                return bool(match_from_list(atom.without_use, [cpv]))
            except (PortageException, AttributeError):
                return False

        rest = [entry for entry in self.entries(setting) if matches(entry[0])]
        ordered = []
        while rest:
            best = best_match_to_list(cpv, [entry[0] for entry in rest])
            named = [entry for entry in rest if entry[0] == best] or rest
            ordered = named + ordered
            rest = [entry for entry in rest if entry not in named]
        return ordered

    def of_use(self, pkg, wanted):
        """The line by which a flag is as it is wanted here (`doc`, `-doc`); None when no line of /etc/portage says so."""
        flag, off = wanted.lstrip("-"), wanted.startswith("-")
        for word, place in self.of_flag(pkg, flag, off):
            if word == wanted or (off and word == "-*"):
                return place
        return None

    def of_flag(self, pkg, flag, off):
        """What is said of a flag, the strongest first."""
        kind = "mask" if off else "force"
        for setting in ("profile/package.use." + kind, "profile/use." + kind):
            for words, place in self.use_lines(setting, pkg):
                if flag in words:
                    yield ("-" + flag if off else flag), place
        # What a person typed in front of the command.
        for word in reversed(os.environ.get("USE", "").split()):
            if word.lstrip("-") in (flag, "*"):
                yield word, "USE of the environment"
        for _, words, place in reversed(self.matching("package.env", pkg)):
            for name in reversed(words):
                yield from self.of_assignments(list(assignments(os.path.join(ETC, "env", name))), flag, off)
        for setting in ("package.use", "profile/package.use"):
            for _, words, place in reversed(self.matching(setting, pkg)):
                for word in reversed(list(expanded(words))):
                    if word.lstrip("-") in (flag, "*"):
                        yield word, place
        yield from self.of_assignments(self.assigned, flag, off)

    def use_lines(self, setting, pkg):
        if setting.startswith("profile/package."):
            return [(list(expanded(words)), place) for _, words, place in self.matching(setting, pkg)]
        return [(words, place) for path in files_of(setting) for words, place in lines_of(path)]

    def of_assignments(self, assigned, flag, off):
        """What a make.conf, or a file that is read as one, says of a flag: by USE, or by the variable that it is a value of."""
        for name, words, place in reversed(assigned):
            if name == "USE":
                for word, where in reversed(words):
                    if word.lstrip("-") in (flag, "*"):
                        yield word, where
            elif name in self.settings.get("USE_EXPAND", "").split():
                prefix = name.lower() + "_"
                if not flag.startswith(prefix):
                    continue
                for word, where in words:
                    if word == flag[len(prefix) :]:
                        yield flag, where
                # A variable that has other values turns this one off.
                yield "-" + flag, place

    def of_keywords(self, pkg):
        """The keyword that a package is accepted by here though it is not stable, and the line that accepts it."""
        arch = self.settings.get("ARCH", "")
        keywords = pkg._metadata.get("KEYWORDS", "").split()
        if arch in keywords:
            return None
        for setting in ("package.accept_keywords", "package.keywords"):
            for _, words, place in reversed(self.matching(setting, pkg)):
                for word in words or ["~" + arch]:
                    if word in keywords or word in ("**", "~*", "*"):
                        return word, place
        for name, words, place in reversed(self.assigned):
            if name == "ACCEPT_KEYWORDS":
                for word, where in words:
                    if word in keywords or word in ("**", "~*"):
                        return word, where
        return None

    def of_mask(self, pkg):
        """The line that masks a package, or that takes back what masks it."""
        return next((place for _, _, place in reversed(self.matching("package.mask", pkg))), None)

    def of_unmask(self, pkg):
        return next((place for _, _, place in reversed(self.matching("package.unmask", pkg))), None)

    def of_world(self, pkg):
        """The line of the world file, or of a set of the world, that asks for a package."""
        from portage.const import WORLD_FILE, WORLD_SETS_FILE
        from portage.dep import dep_getkey
        from portage.exception import InvalidAtom

        files = [os.path.join(self.settings["EROOT"], name) for name in (WORLD_FILE, WORLD_SETS_FILE)]
        for file in files:
            for words, place in lines_of(file):
                name = words[0][1:]
                if words[0].startswith("@"):
                    of_set = os.path.join(ETC, "sets", name)
                    if os.path.basename(name) == name and of_set not in files:
                        files.append(of_set)
                    continue
                try:
                    if dep_getkey(words[0]) == pkg.cp:
                        return place
                except InvalidAtom:
                    continue
        return None

    def patches(self, pkg):
        """A file that is added to the sources of a package here (eapply_user)."""
        from portage.versions import catpkgsplit

        category, name, version, revision = catpkgsplit(pkg.cpv)
        bare = "%s-%s" % (name, version)
        for place in ("%s-%s" % (bare, revision), bare, name):
            for slot in ("", ":" + pkg.slot):
                files = files_of("patches/%s/%s%s" % (category, place, slot))
                if files:
                    return short(files[0])
        return None
