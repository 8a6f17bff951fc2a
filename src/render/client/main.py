# --- The verb ---------------------------------------------------------------------------------------

VERBS = {"setup": setup, "check": check, "capture": capture, "undo": undo}
# What may follow a verb.
WORDS = {"setup": ["--tree"], "check": ["--json"]}


def main(args):
    verb, rest = (args[0], args[1:]) if args else ("setup", [])
    if verb not in VERBS or any(word not in WORDS.get(verb, []) for word in rest):
        words = [" ".join([verb] + ["[%s]" % word for word in WORDS.get(verb, [])]) for verb in VERBS]
        print("usage: sh %s [%s]" % (SCRIPT, " | ".join(words)), file=sys.stderr)
        return USAGE
    try:
        return VERBS[verb](*rest)
    except (Refused, OSError) as problem:
        print(clean(problem), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        if verb == "setup":
            print("Interrupted: run it again, or sh %s undo takes back what was done." % SCRIPT, file=sys.stderr)
        return 130


sys.exit(main(sys.argv[2:]))
