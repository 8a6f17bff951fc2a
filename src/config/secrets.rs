//! The secrets of the configuration, and whether others can read them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::check::check_with_origins;
use super::load::{DEFAULT_FILE, read};
use super::problem::Place;
use crate::portage::command::shell_word;

/// The keys whose values are secrets: whoever knows the URL can post there.
pub(crate) const SECRETS: &[(&str, &str)] = &[("notify", "webhook"), ("notify", "heartbeat")];

/// One sentence with the command that helps, when the file holds a secret that others than root can read.
#[must_use]
pub fn exposed() -> Option<String> {
    let (name, text) = read().ok()?;
    in_file(&name, &text?)
}

fn in_file(name: &str, text: &str) -> Option<String> {
    let path = Path::new(name);
    let meta = fs::metadata(path).ok()?;
    let keys = keys_in(name, text);
    let word = shell_word(name);
    let own = meta.uid() == 0 || meta.uid() == nix::unistd::geteuid().as_raw();
    let mut commands = Vec::new();
    if !own {
        commands.push(format!("chown root {word}"));
    }
    if !own || meta.mode() & 0o044 != 0 {
        commands.push(format!("chmod 600 {word}"));
    }
    (!keys.is_empty() && !commands.is_empty()).then(|| {
        format!("others than root can read {} in {name}: {}", keys.join(" and "), commands.join(" && "))
    })
}

/// One sentence about the secrets that the container's environment holds: a shell in the container has it, and Portage saves
/// that of an ebuild. gbsup's own children get none of it.
#[must_use]
pub fn in_environment<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let variables = SECRETS.iter().map(|(section, key)| format!("GBSUP_{section}_{key}").to_uppercase());
    let variables: Vec<_> = variables.collect();
    let mut there: Vec<_> =
        names.into_iter().filter(|name| variables.iter().any(|known| known == name)).collect();
    there.sort_unstable();
    (!there.is_empty()).then(|| {
        format!(
            "an emerge typed in this container saves {} in its packages, since every shell here has it: set it in {DEFAULT_FILE} \
             instead of the container's environment",
            there.join(" and ")
        )
    })
}

/// The secrets that stand in the file itself.
fn keys_in(name: &str, text: &str) -> Vec<String> {
    let Ok((_, origins)) = check_with_origins(Some((name, text)), std::iter::empty()) else {
        return Vec::new();
    };
    let there = SECRETS.iter().filter(|key| matches!(origins.get(key), Some(Place::Line(..))));
    there.map(|(section, key)| format!("{section}.{key}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_with_secrets_that_others_can_read_is_told_with_the_command() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gbsup's.toml");
        let name = file.to_str().unwrap();
        let secret = "[notify]\nwebhook = \"https://example.org/secret\"\n";
        for (text, mode, told) in [
            (secret, 0o600, false),
            (secret, 0o640, true),
            (secret, 0o604, true),
            ("[build]\njobs = 2\n", 0o644, false),
        ] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let said = in_file(name, text);
            assert_eq!(said.is_some(), told, "{mode:o}: {said:?}");
            if let Some(said) = said {
                assert!(said.starts_with("others than root can read notify.webhook in "), "{said}");
                assert!(said.ends_with(&format!(": chmod 600 {}", shell_word(name))), "{said}");
                assert!(!said.contains("example.org"), "{said}");
            }
        }
    }

    #[test]
    fn a_secret_in_the_environment_is_told_by_its_name() {
        let said = in_environment(["GBSUP_BUILD_JOBS", "GBSUP_NOTIFY_WEBHOOK"]).unwrap();
        assert!(
            said.starts_with("an emerge typed in this container saves GBSUP_NOTIFY_WEBHOOK in"),
            "{said}"
        );
        assert_eq!(in_environment(["GBSUP_BUILD_JOBS"]), None);
    }
}
