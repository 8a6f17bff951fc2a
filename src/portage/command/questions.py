# Several questions to portageq in one process, since importing Portage takes longer than most answers. Each group of questions is asked
# in a child of its own, which runs the real portageq: an answer is what that prints. The only output is one line with all of them;
# whoever sees anything else, such as a warning, asks one by one. It also has the paths of what was read for them.
import io
import shutil

# What Portage opens and lists, also when it is not there (PEP 578). Its own files are none: a merge changes them, and that shows.
read = set()


def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        read.add(os.path.abspath(os.fsdecode(arguments[0])))


sys.addaudithook(note)

# The answers need these. Portage imports them late, so each child would do it again.
import _emerge.Package  # noqa: F401
import _emerge.RootConfig  # noqa: F401
import portage._sets.base  # noqa: F401
import portage.dbapi.bintree  # noqa: F401
import portage.dbapi.porttree  # noqa: F401
import portage.dbapi.vartree  # noqa: F401
import portage.package.ebuild.config  # noqa: F401


def script():
    """The code of portageq, and its path. What PATH has in Gentoo is a program that chooses a Python."""
    path = "/usr/lib/python-exec/python%d.%d/portageq" % sys.version_info[:2]
    if not os.path.exists(path):
        path = shutil.which("portageq")
    with open(path, encoding="utf-8") as file:
        return compile(file.read(), path, "exec"), path


def answer(code, path, words):
    """What portageq prints. It ends by itself, and as it does where a variable is unset."""
    sys.argv = [path] + words
    said = sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    try:
        exec(code, {"__name__": "__main__", "__file__": path})
    except SystemExit:
        pass
    finally:
        sys.stdout = sys.__stdout__
    return said.buffer.getvalue().decode("utf-8")


def ask_all(code, path, groups):
    for group in groups:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reader)
                said = [answer(code, path, words) for words in group]
                with os.fdopen(writer, "w", encoding="utf-8") as file:
                    json.dump([said, sorted(read)], file)
                status = 0
            except Exception:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as file:
            text = file.read()
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(1)
        said, opened = json.loads(text)
        read.update(opened)
        yield said


answers = list(ask_all(*script(), json.loads(os.environ.pop("GBSUP_ASKED"))))
print("gbsup answers: " + json.dumps({"answers": answers, "read": sorted(path for path in read if not path.startswith(("/dev/", "/proc/")))}))
