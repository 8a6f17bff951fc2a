//! The commands that show what an update of a client would do; see `host/clients.rs` for who runs them, and where.

use std::path::{Path, PathBuf};

use super::line::{Command, environment, plain, set};
use crate::portage::names::cpv::{Cpv, is_name};

/// What an ebuild is asked when nothing is known of it.
const READ: &str = "\
import sys
import portage
tree = portage.db[portage.settings['EROOT']]['porttree'].dbapi
for name in sys.stdin.read().split():
    cpv, _, repository = name.partition('::')
    try:
        tree.aux_get(cpv, ['EAPI'], myrepo=repository)
    except KeyError:
        pass
";

/// A Python that has Portage, isolated: what lies in the working directory is not imported. `then` is what is done with it.
fn find(then: &str) -> String {
    format!(
        "for python in python3 /usr/lib/python-exec/python3*/python3; do \
         \"$python\" -I -B -c 'import portage, _emerge' </dev/null 2>/dev/null && exec {then}; done; exit 127"
    )
}

/// Becomes a child without rights and then [`resolver`]. What a client may say stands in files, but for settings that name programs:
/// the environment wins over those. `repositories` is what `portageq repos_config` prints.
pub(crate) fn rehearse(place: &Path, trees: &[PathBuf], repositories: &str) -> Command {
    // As it runs, even when its file was replaced meanwhile.
    let argv = ["/proc/self/exe".to_owned(), "rehearse".to_owned()].into_iter();
    let paths = [place].into_iter().chain(trees.iter().map(PathBuf::as_path));
    let argv = argv.chain(paths.map(|path| path.display().to_string())).collect();
    let mut env = environment();
    let top = place.display().to_string();
    let tmp = format!("{top}/tmp");
    for (name, value) in [
        ("PORTAGE_CONFIGROOT", format!("{top}/")),
        ("PKGDIR", format!("{top}/binpkgs")),
        ("PORTAGE_REPOSITORIES", repositories.to_owned()),
        // With the first Portage goes by the index and looks at no file; the keys are the business of clients.
        ("FEATURES", "pkgdir-index-trusted -getbinpkg -binpkg-request-signature".to_owned()),
        ("HOME", tmp.clone()),
        ("TMPDIR", tmp.clone()),
        ("PORTAGE_TMPDIR", tmp.clone()),
        ("DISTDIR", tmp.clone()),
        ("EMERGE_LOG_DIR", tmp),
    ] {
        set(&mut env, name, value);
    }
    for name in ["FETCHCOMMAND", "RESUMECOMMAND", "PORTAGE_TRUST_HELPER"] {
        set(&mut env, name, "/bin/false".to_owned());
    }
    for name in [
        "PORTAGE_BINHOST",
        "PORTAGE_BINHOST_HEADER_URI",
        "PORTAGE_ELOG_SYSTEM",
        "PORTAGE_ELOG_COMMAND",
        "PORTAGE_IONICE_COMMAND",
        "PORTAGE_NICENESS",
        "PORTAGE_SCHEDULING_POLICY",
        "PORTAGE_SCHEDULING_PRIORITY",
        "PORTAGE_LOGDIR",
    ] {
        set(&mut env, name, String::new());
    }
    for name in ["ROOT", "SYSROOT"] {
        set(&mut env, name, "/".to_owned());
    }
    Command { argv, env, private: false }
}

/// Runs the Python that stands on standard input. `program` is [`filter`](crate::confine) in hexadecimal digits.
pub(crate) fn resolver(program: &str) -> Vec<String> {
    // Whatever is built at the same time goes before.
    let script = find("nice -n 19 \"$python\" -I -B - client.sh \"$@\"");
    ["sh", "-c", &script, "sh", program].map(str::to_owned).to_vec()
}

/// Has Portage ask these ebuilds (`category/name-version::repository`) what they depend on, and keep that. With it, what it reads on
/// standard input: of what is no such name, nothing. `repositories` is what `portageq repos_config` would print, where these are others
/// than are configured.
pub(crate) fn read_ebuilds(names: &[String], repositories: Option<&str>) -> (Command, Vec<u8>) {
    let is_one = |name: &&String| {
        name.split_once("::").is_some_and(|(cpv, repository)| {
            Cpv::parse(cpv.as_bytes()).is_some() && is_name(repository, b"_-")
        })
    };
    let input: Vec<&str> = names.iter().filter(is_one).map(String::as_str).collect();
    let mut command = plain(&["sh", "-c", &find("\"$python\" -I -B -c \"$GBSUP_READ\"")]);
    set(&mut command.env, "GBSUP_READ", READ.to_owned());
    if let Some(repositories) = repositories {
        set(&mut command.env, "PORTAGE_REPOSITORIES", repositories.to_owned());
    }
    (command, input.join("\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_programs_is_overruled() {
        let command = rehearse(Path::new("/run/x"), &["/tree".into()], "[a]\n");
        assert_eq!(command.argv, ["/proc/self/exe", "rehearse", "/run/x", "/tree"]);
        let value =
            |name: &str| command.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("PORTAGE_CONFIGROOT"), Some("/run/x/"));
        assert_eq!((value("FETCHCOMMAND"), value("EMERGE_DEFAULT_OPTS")), (Some("/bin/false"), Some("")));
        let names: std::collections::BTreeSet<_> = command.env.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), command.env.len(), "each once");
    }

    #[test]
    fn only_names_are_asked_for() {
        let names = ["a/b-1::x", "a/b-1", "../../x-1::x", "a/b-1::../x", "a/b-1::x;id", "c/d-2::y-z"]
            .map(str::to_owned);
        let (command, input) = read_ebuilds(&names, None);
        assert_eq!(String::from_utf8_lossy(&input), "a/b-1::x\nc/d-2::y-z");
        assert_eq!(command.argv[0], "sh");
    }
}
