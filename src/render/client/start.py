import json
import os
import sys

# The rest of the script has been read; nothing else shall read on there.
_null = os.open(os.devnull, os.O_RDONLY)
os.dup2(_null, 0)
os.close(_null)

URL = "@URL@"
VERSION = "@VERSION@"
# The key that the packages are signed with; None: they are not; "": nobody knows yet.
KEY = @KEY@
# What lets Portage trust it.
TRUST = r"""
@TRUST@
"""

from portage.const import EPREFIX  # noqa: E402

ROOT = os.environ.get("PORTAGE_CONFIGROOT") or EPREFIX or "/"
ETC = os.path.join(ROOT, "etc/portage")
SCRIPT = sys.argv[1]
if os.path.basename(SCRIPT) in ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "-sh", "-bash"):
    SCRIPT = "client.sh"

DONE, FAILED, USAGE, NO_ANSWER, FINDINGS = 0, 1, 2, 3, 5


class Refused(Exception):
    """Why nothing was done, in words for people."""


def clean(text):
    """Text of elsewhere, without what a terminal would act on."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def count(number, noun):
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


# --- The builder ------------------------------------------------------------------------------------


class Silent(Exception):
    """Why the builder gave no answer."""


def fetch(name, most=64 << 20, of=None):
    """The bytes of a file beside the packages, or below another address; None when the builder has none of that name."""
    import urllib.error
    import urllib.request

    import portage

    proxies = {}
    for kind in ("http", "https"):
        proxy = portage.settings.get(kind + "_proxy")
        if proxy:
            proxies[kind] = proxy
    if URL.startswith("file:"):
        proxies = {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open((of or URL) + "/" + name, timeout=20) as answer:
            data = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise Silent("it answers %d to %s/%s" % (error.code, of or URL, name))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, FileNotFoundError):
            return None
        raise Silent(clean(getattr(reason, "strerror", None) or reason))
    except Exception as error:  # What is no HTTP at all.
        raise Silent(clean(error) or type(error).__name__)
    if len(data) > most:
        raise Silent("%s/%s is too long" % (of or URL, name))
    return data


def fetch_json(name):
    """An object beside the packages; None when there is none that can be understood."""
    data = fetch(name)
    try:
        value = json.loads(data) if data is not None else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def host():
    from urllib.parse import urlparse

    return urlparse(URL).hostname or URL
