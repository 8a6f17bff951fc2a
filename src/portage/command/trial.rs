//! The command that shows whether a client could install what is offered.

use std::collections::BTreeSet;

use super::super::cpv::Cpv;
use super::{Command, EMERGE, Host, environment, features, set};

/// Where Portage looks for the set `@selected`, below a root directory.
pub const WORLD: &str = "var/lib/portage/world";

/// Says what it would take to install these versions into the empty root directory `root`, from the binary packages
/// in `pkgdir` alone; an index is enough there. Nothing is installed.
#[must_use]
pub fn trial(packages: &[Cpv], root: &str, pkgdir: &str, host: &Host) -> Command {
    pretend(packages.iter().map(Cpv::atom), root, pkgdir, host)
}

/// The same without regard to dependencies for all that [`WORLD`] has, of which Portage names what is masked and
/// passes it over.
#[must_use]
pub fn masked(root: &str, pkgdir: &str, host: &Host) -> Command {
    pretend(["--nodeps", "@selected"].map(str::to_owned).into_iter(), root, pkgdir, host)
}

/// The atoms that [`masked`] passed over.
#[must_use]
pub fn passed_over(text: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let mut atoms = BTreeSet::new();
    while lines.by_ref().any(|line| line == "!!! masked or don't exist:") {
        atoms.extend(lines.next().unwrap_or_default().split_whitespace().map(str::to_owned));
    }
    atoms
}

fn pretend(what: impl Iterator<Item = String>, root: &str, pkgdir: &str, host: &Host) -> Command {
    let options = [
        "--pretend",
        "--oneshot",
        "--usepkgonly",
        "--getbinpkg=n",
        // What is not built needs nothing to build it.
        "--with-bdeps=n",
        "--backtrack=100",
        "--autounmask=n",
    ];
    let argv = EMERGE.iter().chain(&options).map(|&option| option.to_owned()).chain(what).collect();
    let mut env = environment();
    set(&mut env, "ROOT", root.to_owned());
    set(&mut env, "PKGDIR", pkgdir.to_owned());
    // With it Portage goes by the index and looks at no file (`portage/dbapi/bintree.py:_populate_local`).
    set(&mut env, "FEATURES", features(host, &["pkgdir-index-trusted"]));
    Command { argv, env }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_touches_nothing_of_the_builder() {
        let package = Cpv::parse(b"a/b-1.2").unwrap();
        let Command { argv, env } =
            trial(std::slice::from_ref(&package), "/t/root", "/t/binpkgs", &Host::default());
        assert_eq!((argv[0].as_str(), argv.last().map(String::as_str)), ("emerge", Some("=a/b-1.2")));
        assert!(["--pretend", "--usepkgonly"].iter().all(|option| argv.iter().any(|arg| arg == option)));
        let value = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((value("ROOT"), value("PKGDIR")), (Some("/t/root"), Some("/t/binpkgs")));
        assert!(value("FEATURES").is_some_and(|features| features.contains("pkgdir-index-trusted")));
        let Command { argv, .. } = masked("/t/root", "/t/binpkgs", &Host::default());
        assert_eq!(argv[argv.len() - 2..], ["--nodeps", "@selected"]);
        let told = include_bytes!("../../../tests/captured/world-atom-gone.txt");
        assert_eq!(passed_over(told), ["test-none/gone".to_owned()].into());
        assert_eq!(passed_over(b"nothing"), BTreeSet::new());
    }
}
