//! The compilers of this system, by the names by which builds call them.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::places::names;

/// Where compilers are.
pub(crate) const PLACE: &str = "/usr/bin";
/// Where each version of LLVM has a directory with some.
const LLVM: &str = "/usr/lib/llvm";
/// What the libraries are called in which clang is, from their beginning.
const LIBRARIES: [&str; 2] = ["libLLVM", "libclang-cpp"];
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
    let llvm = newest_first(names(Path::new(LLVM)));
    let llvm = llvm.iter().map(|version| Path::new(LLVM).join(version).join("bin"));
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for place in [PathBuf::from(PLACE)].into_iter().chain(llvm) {
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

/// Versions that are numbers, and behind them whatever else there is.
fn newest_first(mut versions: Vec<String>) -> Vec<String> {
    versions.sort_by_cached_key(|version| Reverse((version.parse::<u32>().ok(), version.clone())));
    versions
}

/// What decides besides the programs themselves what clang makes: its libraries, and what it is told by default.
pub(crate) fn behind(root: &Path) -> Vec<PathBuf> {
    let below = |place: &Path| names(place).into_iter().map(|name| place.join(name)).collect::<Vec<_>>();
    let begins = |path: &Path, with: &str| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(with))
    };
    let usr = root.join("usr");
    // Gentoo has a directory for each version, and others one beside the rest.
    let slots = below(&usr.join("lib/llvm")).into_iter();
    let versions = below(&usr.join("lib")).into_iter().filter(|path| begins(path, "llvm-"));
    let homes = slots.chain(versions).chain([usr]);
    let libraries = homes
        .flat_map(|home| ["lib", "lib64"].map(|place| home.join(place)))
        .flat_map(|place| below(&place))
        .filter(|path| LIBRARIES.iter().any(|library| begins(path, library)));
    let settings = below(&root.join("etc/clang"))
        .into_iter()
        .flat_map(|path| [below(&path), vec![path]].concat())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cfg"));
    let mut found: Vec<_> = libraries.chain(settings).collect();
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
    fn the_newest_is_the_one_with_the_greatest_number() {
        let found = newest_first(["9", "20", "old", "100"].map(str::to_owned).to_vec());
        assert_eq!(found, ["100", "20", "9", "old"]);
    }

    #[test]
    fn what_clang_is_made_of_is_found() {
        let place = tempfile::tempdir().unwrap();
        let decides = [
            "etc/clang/20/gentoo-common.cfg",
            "etc/clang/clang++.cfg",
            "usr/lib/llvm/20/lib64/libLLVM.so.20.1",
            "usr/lib/llvm/20/lib64/libclang-cpp.so.20.1",
            "usr/lib/llvm-14/lib/libLLVM-14.so.1",
            "usr/lib64/libLLVM.so.19",
        ];
        for name in
            decides.iter().chain(&["etc/clang/README", "usr/lib/llvm/20/lib64/libc++.so", "usr/lib/libz.so"])
        {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(behind(place.path()), decides.map(|name| place.path().join(name)));
    }

    #[test]
    fn each_is_found_once() {
        let found = all();
        assert!(found.iter().any(|(name, _)| name == "gcc"), "{found:?}");
        assert!(found.windows(2).all(|two| two[0].0 < two[1].0), "{found:?}");
    }
}
