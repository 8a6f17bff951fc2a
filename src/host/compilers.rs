//! The compilers of this system, by the names by which builds call them.

use std::path::{Path, PathBuf};

use super::places::names;

/// Where compilers are.
const PLACE: &str = "/usr/bin";
/// Where each version of LLVM has a directory with some.
const LLVM: &str = "/usr/lib/llvm";
/// What they are called.
const CALLED: [&str; 6] = ["gcc", "g++", "cc", "c++", "clang", "clang++"];
/// Scripts that call another one.
const CALLS: [&str; 2] = ["c89-", "c99-"];

/// Whether a compiler can have this name, by itself or behind a CHOST.
fn is_called(name: &str) -> bool {
    let behind = |chost: &str| chost.is_empty() || chost.ends_with('-');
    CALLED.iter().any(|called| name.strip_suffix(called).is_some_and(behind))
        && !CALLS.iter().any(|calls| name.starts_with(calls))
}

/// The full names of those in a directory: with a CHOST.
pub(crate) fn with_chost(directory: &Path) -> Vec<String> {
    names(directory).into_iter().filter(|name| is_called(name) && !CALLED.contains(&name.as_str())).collect()
}

/// All of them with where they are, each name once.
pub(crate) fn all() -> Vec<(String, PathBuf)> {
    let mut llvm: Vec<PathBuf> =
        names(Path::new(LLVM)).iter().map(|version| Path::new(LLVM).join(version).join("bin")).collect();
    llvm.sort();
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for place in [PathBuf::from(PLACE)].into_iter().chain(llvm.into_iter().rev()) {
        for name in names(&place).into_iter().filter(|name| is_called(name)) {
            let path = place.join(&name);
            if path.exists() && !found.iter().any(|(known, _)| *known == name) {
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_compilers_are_known() {
        for name in ["gcc", "x86_64-pc-linux-gnu-g++", "clang", "c++", "x86_64-pc-linux-gnu-clang++"] {
            assert!(is_called(name), "{name}");
        }
        for name in ["gcc-ar", "x86_64-pc-linux-gnu-gcc-ar", "distcc", "c99-gcc", "gcc-12", "", "icecc"] {
            assert!(!is_called(name), "{name}");
        }
    }

    #[test]
    fn each_is_found_once() {
        let found = all();
        assert!(found.iter().any(|(name, _)| name == "gcc"), "{found:?}");
        assert!(found.windows(2).all(|two| two[0].0 < two[1].0), "{found:?}");
    }
}
