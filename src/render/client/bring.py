# --- What the builder offers, and how it gets there ------------------------------------------------------


class Builder:
    """What the builder offers of a repository."""

    def __init__(self, name):
        self.base, self.fetched = BASE + name + ".git/", 0

    def open(self, path):
        try:
            return urllib.request.urlopen(self.base + path, timeout=60)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise Failed("the builder answers %d to %s%s" % (error.code, self.base, path))
        except urllib.error.URLError as error:
            if isinstance(error.reason, FileNotFoundError):
                return None
            raise

    def read(self, path, most):
        """The bytes of a file; None when there is none of that name."""
        answer = self.open(path)
        if answer is None:
            return None
        with answer:
            data = answer.read(most + 1)
            told = answer.headers.get("Content-Length")
        self.fetched += len(data)
        if len(data) > most:
            raise Damaged("%s is too long" % path)
        if told is not None and len(data) != int(told):
            raise Failed("the connection to the builder broke")
        return data

    def copy(self, path, file):
        """Adds the bytes of a file to another one; whether there is such a file."""
        answer = self.open(path)
        if answer is None:
            return False
        with answer:
            told, before = answer.headers.get("Content-Length"), self.fetched
            while True:
                data = answer.read(1 << 16)
                if not data:
                    break
                self.fetched += len(data)
                if self.fetched > MOST:
                    raise Damaged("more than any tree has")
                file.write(data)
        if told is not None and self.fetched - before != int(told):
            raise Failed("the connection to the builder broke")
        return True

    def offered(self):
        """The name of the commit that is on offer."""
        text = self.read("info/refs", 1 << 16)
        if text is None:
            raise Failed("the builder does not offer it (publish.trees): there is no %s" % self.base)
        found = re.fullmatch(rb"([0-9a-f]{40})\trefs/heads/main\n", text)
        if not found:
            raise Failed("%sinfo/refs is not a builder's" % self.base)
        return found.group(1).decode()

    def commit(self, name):
        packed = self.read("objects/%s/%s" % (name[:2], name[2:]), 1 << 20)
        if packed is None:
            raise Damaged("the commit %s is not there" % name)
        try:
            content = zlib.decompressobj().decompress(packed, 1 << 20)
        except zlib.error:
            content = b""
        content = content.partition(b"\0")[2]
        commit = Commit(content)
        if commit.name != name:
            raise Damaged("the commit %s is another one" % name)
        return commit

    def bring_new(self, objects, old, new):
        """What is new in a commit after the one that is here, as the bundles that lead from one to the other; whether there are such."""
        numbers = re.findall(rb"\turi=([0-9]{1,12})\n", self.read("bundles/list", 1 << 20) or b"")
        found, astray = [], 0
        for number in sorted(map(int, numbers), reverse=True):
            if new == old or astray > ASTRAY:
                break
            start = objects.spool.seek(0, os.SEEK_END)
            if not self.copy("bundles/%d" % number, objects.spool):
                break
            objects.spool.flush()
            head = os.pread(objects.spool.fileno(), 256, start)
            told = re.match(rb"# v2 git bundle\n-([0-9a-f]{40})[^\n]*\n([0-9a-f]{40}) refs/heads/main\n\n", head)
            # One may be of a release that comes next, or that never came.
            if told and told.group(2).decode() == new:
                found.append(start + told.end())
                new = told.group(1).decode()
            else:
                astray += 1
        if new != old:
            return False
        for start in reversed(found):
            objects.take(start)
        return True

    def bring_all(self, objects, tree):
        """Packs, the newest first, until all of a tree is there."""
        names = re.findall(rb"P (pack-[0-9a-f]{40}\.pack)\n", self.read("objects/info/packs", 1 << 20) or b"")
        lacks = objects.lacking(tree)
        for name in reversed(names):
            if lacks is None:
                break
            start = objects.spool.seek(0, os.SEEK_END)
            if not self.copy("objects/pack/" + name.decode(), objects.spool):
                continue
            objects.spool.flush()
            objects.take(start)
            if objects.has(lacks):
                lacks = objects.lacking(tree)
        if lacks is not None:
            raise Damaged("%s is in none of its packs" % lacks.hex())


def lay_out(objects, commit, new):
    """Writes a tree into a directory of its own. What lies in the one before becomes a second name of the same file."""
    os.mkdir(new, 0o755)
    left, written = [(commit.tree, os.fsencode(new), 0)], 0
    while left:
        name, directory, depth = left.pop()
        if depth > DEPTH:
            raise Damaged("it is too deep")
        for mode, entry, below in objects.entries(name):
            path = os.path.join(directory, entry)
            written += 1
            if written > OBJECTS:
                raise Damaged("more than any tree has")
            if mode == TREE:
                os.mkdir(path, 0o755)
                left.append((below, path, depth + 1))
            elif mode == LINK:
                os.symlink(objects.content(below)[1], path)
            elif not is_linked(objects.here.files.get(below), path, mode):
                with open(path, "xb") as file:
                    file.write(objects.content(below)[1])
                    os.fchmod(file.fileno(), 0o755 if mode == RUN else 0o644)
    with open(os.path.join(os.fsencode(new), RECORD), "xb") as file:
        file.write(commit.content)


def is_linked(there, path, mode):
    if there is None or there[1] != (0o755 if mode == RUN else 0o644):
        return False
    try:
        os.link(there[0], path, follow_symlinks=False)
    except OSError:
        return False
    return True


def own(new, place):
    """Gives a tree to whoever has the one before, from below: so nobody else can change yet what leads to the next one."""
    try:
        owner = os.stat(place)
    except OSError:
        return
    if (owner.st_uid, owner.st_gid) == (os.geteuid(), os.getegid()):
        return
    for top, directories, files in os.walk(new, topdown=False):
        for below in directories + files:
            os.chown(os.path.join(top, below), owner.st_uid, owner.st_gid, follow_symlinks=False)
    os.chown(new, owner.st_uid, owner.st_gid, follow_symlinks=False)


def exchange(new, old, place):
    """Puts a tree in the place of another one, which is at one of the former two then; by one step where the system has it."""
    if not os.path.exists(place):
        os.rename(new, place)
        return
    try:
        if ctypes.CDLL(None, use_errno=True).renameat2(-100, os.fsencode(new), -100, os.fsencode(place), 2) == 0:
            return
    except AttributeError:
        pass
    try:
        os.rename(place, old)
    except OSError:
        # A directory of an image, in a container; it cannot be moved.
        if any(os.path.exists(os.path.join(place, os.fsdecode(name))) for name in NOT_OF_IT):
            raise
        shutil.rmtree(place)
    os.rename(new, place)


def tidy(place, *rests):
    """Removes what was put aside, but for what is none of a tree."""
    for rest in rests:
        if not os.path.isdir(rest):
            continue
        for name in map(os.fsdecode, NOT_OF_IT):
            if os.path.exists(os.path.join(rest, name)) and not os.path.exists(os.path.join(place, name)):
                os.rename(os.path.join(rest, name), os.path.join(place, name))
        shutil.rmtree(rest)


def recorded(place):
    """The commit that a tree says it is of."""
    try:
        with open(os.path.join(os.fsencode(place), RECORD), "rb") as file:
            return Commit(file.read(1 << 20))
    except (OSError, Damaged):
        return None


def bring(name, place, again):
    """Makes a tree the one that is offered. It stays as it is until the next one lies beside it as a whole, verified; then they change
    places."""
    place = os.path.realpath(place)
    above = os.path.dirname(place)
    new, old = (os.path.join(above, ".gbsup-%s-%s" % (what, name)) for what in ("new", "old"))
    os.makedirs(above, exist_ok=True)
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        for mount in mounts:
            if (mount.split(" ")[1] + "/").startswith(place + "/"):
                raise Failed("%s is a mount of its own, and cannot be exchanged" % mount.split(" ")[1])
    # Two of them would take each other's directories away.
    lock = os.open(above, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if os.path.isdir(old) and not os.path.exists(os.path.join(place, "profiles")):
        if os.path.isdir(place):
            os.rmdir(place)
        os.rename(old, place)
    tidy(place, new, old)
    builder, here, before = Builder(name), Here(place), recorded(place)
    is_whole = before is not None and before.tree == here.root
    if before is not None and not is_whole:
        REST[0] = "the tree is not as it was signed any more"
    offered = builder.offered()
    if before is not None and before.name == offered and is_whole and before.is_signed():
        return
    commit = builder.commit(offered)
    if not commit.is_signed():
        raise Failed(
            "what the builder offers now (%s) is not signed with the key that setup knows" % offered,
            "fetch client.sh from it again, and run: sh %s setup --tree" % SCRIPT,
        )
    if before is not None and commit.made < before.made and not again:
        raise Failed(
            "what is offered now (%s) is older than what is here (%s), as of a builder that was restored, or by somebody in between"
            % (commit.says, before.says),
            "to take it all the same: sh %s setup --tree" % SCRIPT,
        )
    objects = Objects(here, above)
    try:
        is_brought = is_whole and builder.bring_new(objects, before.name, offered) and objects.lacking(commit.tree) is None
    except Damaged:
        is_brought = False
    if not is_brought:
        builder.bring_all(objects, commit.tree)
    try:
        lay_out(objects, commit, new)
        with open(os.path.join(new, "profiles/repo_name"), encoding="utf-8", errors="replace") as file:
            if file.read().strip() != name:
                raise Failed("what is offered is not the repository %s" % name)
        # It is read once more, as it lies there now.
        if Here(new).root != commit.tree:
            raise Failed("what was written is not what was read")
        own(new, place)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    exchange(new, old, place)
    tidy(place, new, old)
    size = builder.fetched
    print("%s: %s (%s fetched)" % (name, commit.says, "%.1f MB" % (size / 1e6) if size >= 1e6 else "%.1f kB" % (size / 1e3)))


def main(name, uri, place, *rest):
    if PLACES.get(name) != place or uri != "file://" + place:
        return 0
    os.umask(0o022)
    # What emaint ends with is said by a second hook, which knows of it by this.
    why = os.path.join(os.path.dirname(os.path.realpath(place)), ".gbsup-why-" + name)
    go_on = "emaint sync -r " + name
    os.makedirs(os.path.dirname(why), exist_ok=True)
    try:
        bring(name, place, "again" in rest)
        if os.path.exists(why):
            os.remove(why)
        return 0
    except Failed as failed:
        words, go_on = failed.args[0], (failed.args + (go_on,))[1]
    except Damaged as damaged:
        words = "what came from the builder is not what it offers (%s)" % damaged
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        place_of = getattr(error, "filename", None) or BASE
        words = "%s (%s)" % (getattr(reason, "strerror", None) or str(reason) or type(error).__name__, place_of)
    except KeyboardInterrupt:
        words = "interrupted"
    sentence = "!!! %s: %s: %s: %s" % (name, REST[0], words, go_on)
    print(sentence, file=sys.stderr)
    with open(why, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
