//! Why Portage does not take a binary package that is whole, and what to type.
//!
//! `!!! Invalid binary package` of emaint and emerge has four kinds of reasons (`portage/dbapi/bintree.py`,
//! `portage/gpkg.py`): the file is damaged, the program that decompresses it is not there, it is not compressed at all, or the
//! key that signed it is not trusted. After a new container only the others are likely, and the next one may be able to use the package.

use std::path::{Path, PathBuf};

use super::gpkg::Damage;
use super::signatures::{OwnKey, Signatures};
use crate::portage::command::shell_quote;
use crate::portage::output::gpg::Doubt;

/// Why a package that is whole cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A program is not installed.
    Program {
        /// What Portage calls.
        program: String,
        /// The package that brings it.
        package: String,
    },
    /// It was packed without compression, and compression is set here.
    Uncompressed,
    /// The signature counts for nothing here.
    Key(Doubt),
    /// There are no keys in the home of GnuPG that Portage checks by, or not the one that it signs with.
    NoKey,
    /// Portage's own words.
    Other(String),
}

/// Words and commands for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Follows "cannot be used here: ".
    pub words: String,
    /// In order; empty when only a look helps.
    pub commands: Vec<String>,
}

/// What a person is told. `has_getuto` says whether Gentoo's own helper for keys is installed; `file` is the package.
pub(crate) fn advice(reason: &Reason, signatures: &Signatures, has_getuto: bool, file: &Path) -> Advice {
    let home = signatures.home.display().to_string();
    let (words, commands) = match reason {
        Reason::Program { program, package } => (
            format!("{program} is not installed ({package})"),
            // What there is of it as a binary package may take the same program.
            vec![format!("FEATURES=-buildpkg emerge --oneshot --usepkg=n --buildpkg=n {package}")],
        ),
        Reason::Key(doubt) => {
            (format!("{doubt} (by the keys in {home})"), trust(Some(doubt), signatures, has_getuto))
        }
        Reason::NoKey => (
            format!("they are signed, and {home} has no key that says so"),
            trust(None, signatures, has_getuto),
        ),
        Reason::Uncompressed => (Damage::Uncompressed.to_string(), vec![move_away(file)]),
        Reason::Other(words) => (words.clone(), vec![move_away(file)]),
    };
    Advice { words, commands }
}

fn move_away(file: &Path) -> String {
    format!("mkdir -p /var/tmp/aside && mv {} /var/tmp/aside", shell_quote(&file.display().to_string()))
}

/// Makes the keys count that signed.
fn trust(doubt: Option<&Doubt>, signatures: &Signatures, has_getuto: bool) -> Vec<String> {
    let home = shell_quote(&signatures.home.display().to_string());
    match &signatures.own {
        Some(OwnKey { home: own, key }) => {
            let own = shell_quote(&own.display().to_string());
            let key = shell_quote(key);
            let print = "awk -F: '$1 == \"fpr\" { print $10; exit }'";
            let fingerprint = format!("$(gpg --homedir {own} --with-colons --list-keys {key} | {print})");
            let longer = format!("gpg --homedir {own} --batch --quick-set-expire {fingerprint} 2y");
            let mut commands: Vec<String> =
                matches!(doubt, Some(Doubt::ExpiredKey(_))).then_some(longer).into_iter().collect();
            // Portage asks as another user (GPG_VERIFY_USER_DROP).
            commands.push(format!(
                "mkdir -p {home} && gpg --homedir {own} --export {key} | gpg --homedir {home} --batch --import && \
                 echo {fingerprint}:6: | gpg --homedir {home} --batch --import-ownertrust && \
                 gpg --homedir {home} --batch --check-trustdb && gpgconf --homedir {home} --kill all; \
                 chmod -R a+rX {home}"
            ));
            commands
        }
        None if has_getuto => vec!["getuto".to_owned()],
        None => vec![format!("gpg --homedir {home} --list-keys")],
    }
}

/// One sentence for packages that cannot be used for the same reason.
pub(crate) fn sentence(files: &[PathBuf], words: &str) -> String {
    match files {
        [one] => format!("the binary package {} is whole, but cannot be used here: {words}", one.display()),
        more => format!("{} binary packages are whole, but cannot be used here: {words}", more.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::files::signatures::Demand;

    #[test]
    fn each_reason_has_words_and_commands() {
        let foreign = Signatures { demand: Demand::WhereThere, home: "/etc/portage/gnupg".into(), own: None };
        let own = OwnKey { home: "/root/.gnupg".into(), key: "0xAB!".to_owned() };
        let signing = Signatures { own: Some(own), ..foreign.clone() };
        let file = Path::new("/p/a/x-1-1.gpkg.tar");
        let told =
            |reason: &Reason, signatures: &Signatures, getuto| advice(reason, signatures, getuto, file);

        let lz4 = Reason::Program { program: "lz4".to_owned(), package: "app-arch/lz4".to_owned() };
        let lz4 = told(&lz4, &foreign, false);
        assert_eq!(lz4.words, "lz4 is not installed (app-arch/lz4)");
        assert!(lz4.commands[0].ends_with("emerge --oneshot --usepkg=n --buildpkg=n app-arch/lz4"));

        let expired = Reason::Key(Doubt::ExpiredKey("AB".to_owned()));
        let told_of = told(&expired, &signing, true);
        assert!(told_of.words.starts_with("it is signed by a key that has expired: AB"));
        assert!(told_of.commands[0].contains("--quick-set-expire") && told_of.commands.len() == 2);
        assert!(told_of.commands[1].contains("--export '0xAB!' | gpg --homedir /etc/portage/gnupg"));
        assert_eq!(told(&Reason::NoKey, &foreign, true).commands, ["getuto"]);
        assert_eq!(told(&Reason::NoKey, &foreign, false).commands.len(), 1);
        assert_eq!(told(&Reason::NoKey, &signing, true).commands.len(), 1);
        assert!(
            told(&Reason::Other("odd".to_owned()), &foreign, true).commands[0]
                .contains("mv /p/a/x-1-1.gpkg.tar")
        );
        let two = [file.to_owned(), file.to_owned()];
        assert_eq!(sentence(&two, "odd"), "2 binary packages are whole, but cannot be used here: odd");
    }
}
