//! The command that shows whether a client could install what is offered.

use std::collections::BTreeSet;

use super::line::{Command, environment, set};
use super::{EMERGE, Host, features};
use crate::portage::names::cpv::Cpv;

/// Where Portage looks for the set `@selected`, below a root directory.
pub(crate) const WORLD: &str = "var/lib/portage/world";
/// Where it looks for the sets that are part of that.
pub(crate) const WORLD_SETS: &str = "var/lib/portage/world_sets";
/// Everything that is written to try it out is below this.
pub(crate) const TRIAL: &str = "/run/gbsup/trial";
/// The root directory into which a client's system is to be installed.
pub(crate) const TRIAL_ROOT: &str = "/run/gbsup/trial/root";
/// Where the index of what clients would be offered is.
pub(crate) const TRIAL_PKGDIR: &str = "/run/gbsup/trial/binpkgs";
/// There until the next trial when one was refused: it asks Portage the same again. The list in it is as long as that of
/// all packages, so this is what a person is told to type.
pub(crate) const TRIAL_AGAIN: &str = "/run/gbsup/trial/again";

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of its world.
    World,
    /// Its world without what the profile demands of every system.
    Selected,
}

/// Says what it would take to install this, and these versions, into [`TRIAL_ROOT`], from the binary packages in
/// [`TRIAL_PKGDIR`] alone; an index is enough there. Nothing is installed.
///
/// An atom of `@selected` for which nothing is there is passed over (`_emerge/depgraph.py:_resolve`), and so is one for which there
/// is only what lacks a dependency itself: that is masked then. So whatever must not be passed over has to be among the
/// versions.
pub(crate) fn trial(wanted: Wanted, versions: &[Cpv], host: &Host) -> Command {
    let set = match wanted {
        Wanted::World => "@world",
        Wanted::Selected => "@selected",
    };
    pretend(std::iter::once(set.to_owned()).chain(versions.iter().map(Cpv::atom)), host)
}

/// The same without regard to dependencies for all that [`WORLD`] has, of which Portage names what is masked and
/// passes it over.
pub(crate) fn masked(host: &Host) -> Command {
    pretend(["--nodeps", "@selected"].map(str::to_owned).into_iter(), host)
}

/// The atoms that [`masked`] passed over.
pub(crate) fn passed_over(text: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let mut atoms = BTreeSet::new();
    while lines.by_ref().any(|line| line == "!!! masked or don't exist:") {
        atoms.extend(lines.next().unwrap_or_default().split_whitespace().map(str::to_owned));
    }
    atoms
}

/// Whether a [`trial`] was refused because something is not offered that the profile itself names: of that nothing is
/// passed over.
pub(crate) fn lacks_what_the_profile_names(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let nearest = text.lines().find_map(|line| line.strip_prefix("(dependency required by \""));
    nearest.is_some_and(|by| by.starts_with("@system\"") || by.starts_with("@profile\""))
}

fn pretend(what: impl Iterator<Item = String>, host: &Host) -> Command {
    let options = [
        "--pretend",
        "--oneshot",
        // What clients have anyway is there already.
        "--noreplace",
        "--usepkgonly",
        "--getbinpkg=n",
        // What is not built needs nothing to build it.
        "--with-bdeps=n",
        "--backtrack=100",
        "--autounmask=n",
    ];
    let argv = EMERGE.iter().chain(&options).map(|&option| option.to_owned()).chain(what).collect();
    let mut env = environment();
    set(&mut env, "ROOT", TRIAL_ROOT.to_owned());
    set(&mut env, "PKGDIR", TRIAL_PKGDIR.to_owned());
    // With it Portage goes by the index and looks at no file (`portage/dbapi/bintree.py:_populate_local`).
    set(&mut env, "FEATURES", features(host, &["pkgdir-index-trusted"]));
    Command { argv, env, private: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_touches_nothing_of_the_builder() {
        let package = Cpv::parse(b"a/b-1.2").unwrap();
        let command = trial(Wanted::World, std::slice::from_ref(&package), &Host::default());
        let typed = command.typed();
        let places = "ROOT=/run/gbsup/trial/root PKGDIR=/run/gbsup/trial/binpkgs emerge ";
        assert!(typed.starts_with(places) && typed.ends_with(" @world =a/b-1.2"), "{typed}");
        assert!(
            ["--pretend", "--usepkgonly"].iter().all(|option| command.argv.iter().any(|arg| arg == option))
        );
        let script = command.script();
        let words = typed.strip_prefix(places).unwrap_or_default();
        assert!(script.ends_with(&format!("\nexec emerge {words}\n")), "{script}");
        assert!(script.contains("\nexport ROOT=/run/gbsup/trial/root\n"), "{script}");
        let features = script.lines().find(|line| line.starts_with("export FEATURES='"));
        assert!(features.is_some_and(|features| features.contains("pkgdir-index-trusted")), "{script}");
        let Command { argv, .. } = masked(&Host::default());
        assert_eq!(argv[argv.len() - 2..], ["--nodeps", "@selected"]);
        let told = include_bytes!("../../../tests/captured/world-atom-gone.txt");
        assert_eq!(passed_over(told), ["test-none/gone".to_owned()].into());
        assert_eq!(passed_over(b"nothing"), BTreeSet::new());
    }

    #[test]
    fn what_the_profile_names() {
        let told = include_str!("../../../tests/captured/trial-system.txt");
        assert!(lacks_what_the_profile_names(told.as_bytes()));
        // A package that the profile names is there, and lacks something.
        let deeper = told.replace(
            "(dependency required by \"@system\" [set])",
            "(dependency required by \"a/b-1::x\" [binary])\n(dependency required by \"@system\" [set])",
        );
        assert_ne!(told, deeper);
        assert!(!lacks_what_the_profile_names(deeper.as_bytes()));
        assert!(!lacks_what_the_profile_names(b"nothing"));
    }
}
