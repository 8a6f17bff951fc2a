# --- setup --tree where there is no git ----------------------------------------------------------------

# Where there is no git. Nothing that Portage fetches without it is verified before it is unpacked, so Portage fetches nothing: it has rsync do
# nothing, which a stage3 has, and then calls the hook.
PLAIN = """\
[%(name)s]
# The hook repo.postsync.d/gbsup brings it, since there was no git here. Portage's own part changes nothing.
sync-type = rsync
sync-uri = file://%(place)s
sync-rsync-extra-opts = --dry-run --ignore-missing-args --relative --exclude=* --quiet
sync-rsync-verify-metamanifest = no
sync-allow-hardlinks = no
sync-rcu = no
auto-sync = yes
"""
SIGNED = """\
# What is not signed with the builder's key changes nothing here.
"""
UNSIGNED = """\
# !!! The builder does not sign: whoever gets between it and this machine can put anything into this repository.
"""
PLAIN_HOOK = """\
#!/bin/sh
# Brings the repositories of the builder, verified before anything changes. setup --tree of the builder's client.sh wrote this, undo removes it.
case "$1 $2" in
%(cases)s
*) exit 0 ;;
esac
# Until it is done. What it says then is in there for the second hook, which has emaint fail.
echo "!!! $1: the sync was killed before its end, and the tree is that of before or the next one: emaint sync -r $1" >"$why"
python=
for candidate in python3 /usr/lib/python-exec/python3*/python3 /usr/bin/python3.*; do
    if "$candidate" -I -c 'import ctypes, hashlib, zlib' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "!!! $1: there is no Python here to bring its tree with" >&2
    exit 1
fi
exec "$python" -I - "$@" <<'END OF HOOK'
%(program)s
END OF HOOK
"""
# What a hook of a repository ends with is nothing to Portage; what this one ends with is what emaint does.
PLAIN_CODE = """\
#!/bin/sh
# Has a sync fail that did not bring a repository of the builder. setup --tree of its client.sh wrote this, undo removes it.
code=0
for why in %s; do
    [ ! -s "$why" ] || { cat "$why" >&2; code=1; }
done
exit $code
"""
BRING = r'''
@BRING@
'''


def plain(name, place, base, offered, made):
    """Brings a repository without git; what Portage is told of it."""
    import subprocess

    import portage

    before = origin(place)
    if before is not None and not before.endswith("/tree/%s.git" % name):
        raise Refused("%s is a clone of %s, and there is no git here: emerge dev-vcs/git, and run this again." % (place, clean(before) or "something"))
    env = dict(os.environ)
    for kind in ("http_proxy", "https_proxy", "no_proxy"):
        if portage.settings.get(kind):
            env[kind] = portage.settings[kind]
    note_tree(made, name, "-")
    command = [sys.executable, "-I", "-", name, "file://" + place, place, "again"]
    sys.stdout.flush()
    ran = subprocess.run(command, input=plain_program(base, {name: place}).encode(), env=env, check=False)
    if ran.returncode != 0:
        forget(why_of(name, place))
        raise Refused("%s could not be brought: Portage syncs it from where it did before." % name)
    return PLAIN % {"name": name, "place": place} + (SIGNED if KEY else UNSIGNED)


def put_hooks(hook, code, base, places):
    """Has Portage bring them so after each of its syncs."""
    import shlex

    whys = {name: shlex.quote(why_of(name, place)) for name, place in places.items()}
    cases = ["%s) why=%s ;;" % (shlex.quote("%s file://%s" % (name, place)), whys[name]) for name, place in places.items()]
    hook.put(PLAIN_HOOK % {"cases": "\n".join(cases), "program": plain_program(base, places)})
    code.put(PLAIN_CODE % " ".join(whys.values()))


def plain_program(base, places):
    """What brings repositories without git."""
    import shlex

    script = shlex.quote(os.path.abspath(SCRIPT))
    settings = [("BASE", base), ("SCRIPT", script), ("KEY", armor() if KEY else ""), ("PLACES", places)]
    return "".join("%s = %r\n" % setting for setting in settings) + BRING.strip("\n")


def why_of(name, place):
    """What is said there of a sync that failed."""
    return os.path.join(os.path.dirname(os.path.realpath(place)), ".gbsup-why-" + name)
