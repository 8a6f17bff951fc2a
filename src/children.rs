//! The environment of every child that this program starts.
//!
//! It is made anew for each of them: what [`Inherits`] lets through of our own, what the call needs, and nothing else. A child
//! shows its environment to whoever may look into `/proc`, and Portage publishes it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

use crate::portage::command::{Inherits, PATH};
use crate::procs::{MARK, RESTARTS};

/// The whole environment of a child, with these variables of its own.
pub(crate) fn environment(
    inherits: Inherits<'_>,
    own: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<_, _> = [("PATH", PATH)].map(|(name, value)| (name.into(), value.into())).into();
    all.extend(env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| inherits.takes(name))));
    all.extend(own.into_iter().map(|(name, value)| (name.into(), value.into())));
    all
}

/// The mark of a job's children; none where there is no supervisor, as in a shell.
pub(crate) fn mark(job: u64) -> Option<(String, String)> {
    let restarts = env::var(RESTARTS).ok()?;
    Some((MARK.to_owned(), format!("{restarts}.{job}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_ours_gets_through() {
        // Cargo sets some that no list has.
        assert!(env::vars().any(|(name, _)| name.starts_with("CARGO")));
        for inherits in [Inherits::Nothing, Inherits::Certificates, Inherits::Network, Inherits::Portage(&[])]
        {
            let all = environment(inherits, [("GBSUP_KIND", "test"), ("PATH", "/own")]);
            assert!(all.keys().all(|name| !name.to_string_lossy().starts_with("CARGO")), "{all:?}");
            assert_eq!(all.get(&OsString::from("GBSUP_KIND")), Some(&"test".into()));
            assert_eq!(all.get(&OsString::from("PATH")), Some(&"/own".into()));
        }
        let named = ["CARGO_PKG_NAME".to_owned()];
        let all = environment(Inherits::Portage(&named), [("", ""); 0]);
        assert_eq!(all.get(&OsString::from("CARGO_PKG_NAME")), Some(&"gbsup".into()));
    }
}
