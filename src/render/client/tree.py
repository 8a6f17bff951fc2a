# --- setup --tree: the repositories of the builder --------------------------------------------------

REPOSITORY = """\
[%(name)s]
sync-type = git
sync-uri = %(uri)s
# It is fetched whole the first time, and as far as it is new from then on.
clone-depth = 0
sync-depth = 0
# A server of plain files names its packs, so what was fetched is kept as it was.
sync-git-clone-extra-opts = --config gc.auto=0 --config fetch.unpackLimit=1%(bundles)s
# Nothing but a sync changes it, which may so put right whatever became of it.
volatile = no
auto-sync = yes
"""
VERIFIED_TREE = """\
# A commit that is not signed with the builder's key changes nothing here.
sync-git-verify-commit-signature = yes
sync-openpgp-key-path = %s
sync-openpgp-key-refresh = false-nowarn
"""
UNVERIFIED_TREE = """\
# !!! The builder does not sign: whoever gets between it and this machine can put anything into this repository.
sync-git-verify-commit-signature = no
"""
# Portage calls it with the name, the URI and the place of each repository that it has synced, and goes on whatever it ends with.
HOOK = """\
#!/bin/sh
# Whether a repository of the builder is here as a whole, signed, and that of the release on offer. setup --tree of the builder's client.sh
# wrote this, undo removes it.
name=$1 place=$3
key=%(key)s
script=%(script)s
case $2 in
"%(trees)s"*) ;;
*) exit 0 ;;
esac
# The settings of a clone name programs: they run as whoever owns it.
of=$place
[ "$(stat -c %%u "$of")" != 0 ] || of=$place/.git
user=$(stat -c %%u "$of") group=$(stat -c %%g "$of")
as_owner() {
    case $(id -u):$user in
    0:0 | [1-9]*) "$@" ;;
    *) HOME=/ setpriv --reuid="$user" --regid="$group" --clear-groups "$@" ;;
    esac
}
cd / || exit 1
tree() { as_owner git -c safe.directory="*" -c core.fsmonitor=false -C "$place" "$@"; }
fail() {
    echo "!!! $name: $*" >&2
    exit 1
}
if [ -n "$key" ]; then
    home=$(mktemp -d) || exit 1
    trap 'rm -rf "$home"' EXIT
    chown "$user:$group" "$home"
    as_owner gpg --homedir "$home" --batch --quiet --import <"$key" 2>/dev/null
    GNUPGHOME=$home tree verify-commit HEAD 2>/dev/null || fail "HEAD in $place is not signed with the builder's key"
fi
# A git that was killed leaves locks, at which every later one stops. Portage calls this after a sync that failed as well.
unlock() {
    for at in /proc/[0-9]*; do
        case $(cat "$at/comm" 2>/dev/null):$(readlink "$at/cwd" 2>/dev/null)/ in
        git:"$place"/*) return 0 ;;
        esac
    done
    as_owner find "$place/.git" -name "*.lock" -type f -delete
}
unlock
# git and Portage call a clone up to date that was killed before it had its files.
if [ ! -s "$place/profiles/repo_name" ] || ! tree diff-index --quiet HEAD --; then
    tree reset --quiet --hard HEAD || fail "its files cannot be brought: sh $script setup --tree"
    [ -s "$place/profiles/repo_name" ] || fail "there is nothing in it: sh $script setup --tree"
fi
# What went back on the server, or did not arrive, is passed over in silence as well.
there=$(tree ls-remote --quiet origin refs/heads/main 2>/dev/null | cut -f 1)
[ -n "$there" ] && [ "$there" != "$(tree rev-parse HEAD)" ] || exit 0
if [ -n "$key" ] && tree cat-file -e "$there" 2>/dev/null && ! GNUPGHOME=$home tree verify-commit "$there" 2>/dev/null; then
    fail "what the builder offers now ($there) is not signed with the key that setup knows: fetch client.sh from it again, and run: sh $script setup --tree"
fi
fail "this is not what the builder offers now ($there): emaint sync -r $name"
"""


# Of a year of daily syncs, each of which brings a pack and its index.
MOST_FILES_OF_PACKS = 800


def trees_url():
    """Where the builder has its repositories; they are beside its packages."""
    if not URL.endswith("/binpkgs"):
        raise Refused("%s is no address of a builder's own server, which has its repositories beside /binpkgs." % URL)
    return URL[: -len("binpkgs")] + "tree/"


def key_file():
    return os.path.join(ETC, "gbsup.asc")


def armor():
    """The builder's key, in ASCII armour."""
    import re

    found = re.search("-----BEGIN PGP P.*?-----END PGP P[^\n]*\n", TRUST, re.S)
    return found.group(0) if found else ""


class Own:
    """A file that is setup's alone."""

    def __init__(self, name, mode=0o644):
        self.path, self.mode = os.path.join(ETC, name), mode

    def put(self, text):
        if read(self.path) == text:
            return False
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        replace(self.path, text)
        os.chmod(self.path, self.mode)
        print("wrote", self.path)
        return True

    def remove(self):
        if not os.path.exists(self.path):
            return False
        os.remove(self.path)
        print("removed", self.path)
        return True


def files_of_trees():
    hook, code = (Own(name, 0o755) for name in ("repo.postsync.d/gbsup", "postsync.d/gbsup-trees"))
    return Own("repos.conf/zz-gbsup.conf"), hook, Own("gbsup.asc"), code


def made_for_trees():
    text = read(os.path.join(ETC, "repos.conf/zz-gbsup.conf")) or ""
    return [line[len(MADE) :] for line in text.splitlines() if line.startswith(MADE)]


# What is new in each commit, for a git to which the server does not say that (2.40 and later; an older one fetches packs).
BUNDLES = "fetch.bundleURI"


def bundles_of(uri):
    """Where a server of plain files has what is new in each commit; None where git is told by the server itself."""
    try:
        told = fetch("info/refs?service=git-upload-pack", 1 << 20, uri) or b""
    except Silent:
        told = b""
    return None if told.startswith(b"001e# service=") else uri + "/bundles/list"


def follow_bundles(place, bundles):
    if bundles is None:
        forget_bundles(place)
    elif git(place, "config", BUNDLES).stdout.decode(errors="replace").strip() != bundles:
        git(place, "config", BUNDLES, bundles)


def forget_bundles(place):
    for name in (BUNDLES, "fetch.bundleCreationToken"):
        git(place, "config", "--unset-all", name)
    git(place, "update-ref", "-d", "refs/bundles/main")


def origin(place):
    """Where a clone came from; None when there is none."""
    import re
    import shutil

    if not os.path.isdir(os.path.join(place, ".git")):
        return None
    if not shutil.which("git"):
        found = re.search(r'\[remote "origin"\][^\[]*?\n\s*url = (\S+)', text_of(os.path.join(place, ".git/config")))
        return found.group(1) if found else ""
    return git(place, "config", "remote.origin.url").stdout.decode(errors="replace").strip()


def follows(settings, repository):
    """Whether a repository is synced from the builder here."""
    try:
        place = settings.repositories[repository].location
    except KeyError:
        return False
    return commit_of_plain(place) is not None or (origin(place) or "").endswith("/tree/%s.git" % repository)


def is_signed(place, commit="HEAD"):
    """Whether a commit of a clone is signed with the builder's key, where it signs."""
    import subprocess
    import tempfile

    if not KEY:
        return True
    with tempfile.TemporaryDirectory() as home:
        owner = whose(place)
        if owner:
            os.chown(home, owner["user"], owner["group"])
        command = ["gpg", "--homedir", home, "--batch", "--quiet", "--import"]
        subprocess.run(command, input=armor().encode(), stderr=subprocess.DEVNULL, cwd="/", check=False, **owner)
        return git(place, "verify-commit", commit, GNUPGHOME=home).returncode == 0


def is_whole(place, name):
    named = (read(os.path.join(place, "profiles/repo_name")) or "").strip()
    return named == name and git(place, "diff-index", "--quiet", "HEAD", "--").returncode == 0


def bring(place, name, commit):
    """Puts right what a git left behind that was killed, and brings what is offered; whether all of that is there then."""
    import subprocess

    for at in os.listdir("/proc"):
        try:
            if text_of("/proc/%s/comm" % at).strip() == "git" and os.readlink("/proc/%s/cwd" % at).startswith(place):
                raise Refused("git is at work in %s: try again when it is done." % place)
        except OSError:
            continue
    command = ["find", os.path.join(place, ".git"), "-name", "*.lock", "-type", "f", "-print", "-delete"]
    for lock in subprocess.run(command, stdout=subprocess.PIPE, cwd="/", check=False, **whose(place)).stdout.splitlines():
        print("removed %s, which a git left that was killed" % clean(lock.decode(errors="replace")))
    # Each sync adds one. Some day a clone is smaller.
    if not is_signed(place) or len(os.listdir(os.path.join(place, ".git/objects/pack"))) > MOST_FILES_OF_PACKS:
        return False
    if git(place, "rev-parse", "HEAD").stdout.decode().strip() != commit:
        if git(place, "fetch", "--quiet", "origin").returncode != 0 or not is_signed(place, "origin/main"):
            return False
        commit = "origin/main"
    git(place, "reset", "--quiet", "--hard", commit)
    return is_whole(place, name)


def beside(name, place):
    """Where a clone is made, and where the one before it is until it is removed."""
    above = os.path.dirname(os.path.realpath(place))
    return tuple(os.path.join(above, ".gbsup-%s-%s" % (what, name)) for what in ("new", "old"))


def tidy(name, place):
    """Removes what a clone left beside a repository when it was killed."""
    import shutil

    for rest in beside(name, place):
        if os.path.exists(rest):
            shutil.rmtree(rest)


def clone(name, uri, place):
    """Brings a repository beside its place, and puts it there when it is whole and signed: so a kill leaves the old one or the new."""
    import errno
    import shutil

    place = os.path.realpath(place)
    if os.path.ismount(place):
        raise Refused("%s is a mount of its own, and cannot be exchanged: clone %s there by hand." % (place, uri))
    above = os.path.dirname(place)
    new, old = beside(name, place)
    os.makedirs(above, exist_ok=True)
    if os.path.exists(old) and not os.path.exists(place):
        os.rename(old, place)
    tidy(name, place)
    ran = git(above, "clone", "--quiet", "--config", "gc.auto=0", "--config", "fetch.unpackLimit=1", uri, new)
    if ran.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise Refused("%s could not be cloned: %s" % (uri, ran.stderr.decode(errors="replace").strip()))
    if not is_signed(new) or not is_whole(new, name):
        shutil.rmtree(new)
        raise Refused("%s is not signed with the key %s, or not the repository %s: nothing was changed." % (uri, KEY, name))
    if os.path.exists(place):
        owner = os.stat(place)
        if (owner.st_uid, owner.st_gid) != (0, 0):
            # From below, so that nobody else can change yet what leads to the next one.
            for top, directories, files in os.walk(new, topdown=False):
                for below in directories + files:
                    os.chown(os.path.join(top, below), owner.st_uid, owner.st_gid, follow_symlinks=False)
            os.chown(new, owner.st_uid, owner.st_gid, follow_symlinks=False)
        try:
            os.rename(place, old)
        except OSError as error:
            # A directory of an image, in a container; it cannot be moved.
            if error.errno != errno.EXDEV:
                raise
            shutil.rmtree(place)
    os.rename(new, place)
    if os.path.exists(old):
        shutil.rmtree(old)
    print("%s in %s is a clone of %s now" % (name, place, uri))


def as_directory(made):
    """repos.conf as a directory: no section stands twice in one file."""
    path = os.path.join(ETC, "repos.conf")
    if os.path.isdir(path):
        return
    if os.path.islink(path):
        raise Refused("%s is a link: make it a directory with that file in it, and run this again." % path)
    if os.path.exists(path):
        aside = path + ".gbsup"
        os.rename(path, aside)
        os.mkdir(path)
        os.rename(aside, os.path.join(path, "own.conf"))
        made.append("directory of a file")
        print("moved %s to %s/own.conf" % (path, path))
    else:
        os.mkdir(path)
        made.append("directory")


def not_here(package, release):
    """What to do about a program that is lacking. Setup has Portage use the builder's packages before it comes to the trees."""
    from portage.versions import cpv_getkey

    cpvs = [offered.get("cpv") for offered in release.get("packages") or [] if isinstance(offered, dict)]
    is_offered = any(isinstance(cpv, str) and cpv_getkey(cpv) == package for cpv in cpvs)
    where = "the builder offers it" if is_offered else "the builder does not offer it, so it is compiled"
    return "which is not here: emerge %s (%s), and run this again." % (package, where)


def cloned(name, place, base, offered, made):
    """Brings a repository as a clone; what Portage is told of it."""
    uri = base + name + ".git"
    before = origin(place)
    if before != uri:
        note_tree(made, name, before or "-")
        clone(name, uri, place)
    elif bring(place, name, offered["commit"]):
        tidy(name, place)
    else:
        clone(name, uri, place)
    bundles = bundles_of(uri)
    follow_bundles(place, bundles)
    options = " --config %s=%s" % (BUNDLES, bundles) if bundles else ""
    section = REPOSITORY % {"name": name, "uri": uri, "bundles": options}
    return section + (VERIFIED_TREE % key_file() if KEY else UNVERIFIED_TREE)


def note_tree(made, name, before):
    if not any(what.split()[:2] == ["tree", name] for what in made):
        made.append("tree %s %s" % (name, before))


def setup_trees():
    """Has Portage sync from the builder what it offers with its release."""
    import shlex
    import shutil

    import portage

    try:
        release = fetch_json("release.json")
    except Silent as silent:
        raise Refused("%s does not answer: %s" % (URL, silent))
    if release is None:
        raise Refused("Nothing is published yet that repositories could be synced with: run this again when there is a release.")
    problem = other_key(release)
    if problem:
        raise Refused(problem)
    trees = release.get("trees") or {}
    if not trees:
        raise Refused("The builder offers no repositories with its release (publish.trees).")
    is_plain = not shutil.which("git")
    if is_plain:
        if not shutil.which("rsync"):
            raise Refused("Portage syncs with git or rsync, " + not_here("net-misc/rsync", release))
        if KEY and not shutil.which("gpg"):
            raise Refused("These repositories are verified with gpg, " + not_here("app-crypt/gnupg", release))
    elif KEY:
        try:
            import gemato.openpgp  # noqa: F401
        except ImportError:
            raise Refused("Portage verifies these repositories with gemato, " + not_here("app-portage/gemato", release))
    base = trees_url()
    known = portage.settings.repositories
    made = made_for_trees()
    recovered = not os.path.exists(os.path.join(ETC, "repos.conf")) and os.path.exists(os.path.join(ETC, "repos.conf.gbsup"))
    if recovered:
        os.rename(os.path.join(ETC, "repos.conf.gbsup"), os.path.join(ETC, "repos.conf"))
    mine = [name for name in sorted(trees) if name in known.prepos and name != "DEFAULT"]
    if not mine:
        raise Refused("None of the repositories of the builder is configured here: %s" % clean(", ".join(sorted(trees))))
    conf, hook, key, code = files_of_trees()
    try:
        sections = [(plain if is_plain else cloned)(name, known[name].location, base, trees[name], made) for name in mine]
    except Refused:
        if not os.path.exists(conf.path):
            # Portage goes on with them as before, by which they become others.
            for name in mine:
                forget(os.path.join(known[name].location, PLAIN_RECORD))
        raise
    as_directory(made)
    if is_plain:
        put_hooks(hook, code, base, {name: known[name].location for name in mine})
    else:
        if KEY:
            key.put(armor())
        words = {"trees": base, "key": shlex.quote(key_file() if KEY else ""), "script": shlex.quote(os.path.abspath(SCRIPT))}
        hook.put(HOOK % words)
    conf.put("".join("%s%s\n" % (MADE, what) for what in made) + "\n".join(sections))
    # What the other way of the two needs, when that came first.
    for own in [key] if is_plain else [code]:
        if own.remove() and not os.listdir(os.path.dirname(own.path)):
            os.rmdir(os.path.dirname(own.path))
    if is_plain:
        print("There is no git here, so a hook brings the repositories. With git Portage does it itself: emerge dev-vcs/git, and run this again.")
    others = [clean(name) for name in sorted(trees) if name not in mine]
    if others:
        print("The builder also offers %s, not configured here." % ", ".join(others))
    for name, why in sorted((release.get("withheld") or {}).items()):
        if name in known.prepos:
            print("The builder does not offer %s: %s. It is synced from where it was." % (clean(name), clean(why)))
    return DONE


def undo_trees():
    """Takes that back. The files stay until the next sync, by which they become those of before."""
    import shutil

    made = made_for_trees()
    removed = [own.remove() for own in files_of_trees()]
    top = os.path.join(ETC, "repos.conf")
    if "directory of a file" in made and os.listdir(top) == ["own.conf"]:
        os.rename(os.path.join(top, "own.conf"), top + ".gbsup")
        os.rmdir(top)
        os.rename(top + ".gbsup", top)
        print("moved %s/own.conf back to %s" % (top, top))
    elif "directory" in made and not os.listdir(top):
        os.rmdir(top)
    for is_removed, name in ((removed[1], "repo.postsync.d"), (removed[3], "postsync.d")):
        hooks = os.path.join(ETC, name)
        if is_removed and not os.listdir(hooks):
            os.rmdir(hooks)
    import portage

    for what in made:
        words = what.split()
        if words[0] != "tree" or words[1] not in portage.settings.repositories.prepos:
            continue
        name, before = words[1:3]
        place = portage.settings.repositories[name].location
        forget(why_of(name, place))
        if commit_of_plain(place) is not None:
            os.remove(os.path.join(place, PLAIN_RECORD))
            print("%s is synced from where it was before; until then its files stay as they are" % name)
            continue
        if not (origin(place) or "").endswith("/tree/%s.git" % name):
            continue
        if before == "-":
            shutil.rmtree(os.path.join(place, ".git"))
        else:
            git(place, "remote", "set-url", "origin", before)
            forget_bundles(place)
        print("%s is synced from where it was before; until then its files stay as they are" % name)
    return any(removed)
