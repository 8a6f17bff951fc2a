//! What reads texts and files of others, each as a fuzzer feeds it (`fuzz/`). It is compiled with the tests too, so that a reader which
//! gets another shape cannot leave its target behind, and is no part of the program.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a target says what is wrong")]

pub mod build_log;
pub mod circular;
pub mod config;
pub mod dependencies;
pub mod distcc;
pub mod elf;
pub mod emerge_log;
pub mod gpkg;
pub mod icecream;
pub mod image;
pub mod index;
pub mod installed;
pub mod names;
pub mod output;
pub mod plan;
pub mod settings;
pub mod small;
pub mod sync;
pub mod xpak;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// A target.
    type Run = fn(&[u8]);

    /// Each target, by its name in `fuzz/Cargo.toml`.
    const TARGETS: [(&str, Run); 19] = [
        ("build_log", super::build_log::run),
        ("circular", super::circular::run),
        ("config", super::config::run),
        ("dependencies", super::dependencies::run),
        ("distcc", super::distcc::run),
        ("elf", super::elf::run),
        ("emerge_log", super::emerge_log::run),
        ("gpkg", super::gpkg::run),
        ("icecream", super::icecream::run),
        ("image", super::image::run),
        ("index", super::index::run),
        ("installed", super::installed::run),
        ("names", super::names::run),
        ("output", super::output::run),
        ("plan", super::plan::run),
        ("settings", super::settings::run),
        ("small", super::small::run),
        ("sync", super::sync::run),
        ("xpak", super::xpak::run),
    ];

    #[test]
    fn each_takes_whatever_was_captured() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = fs::read_to_string(top.join("fuzz/Cargo.toml")).unwrap();
        let all = manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let mut named: Vec<_> = all.filter(|name| *name != "gbsup-fuzz").collect();
        named.sort_unstable();
        assert!(TARGETS.iter().map(|(name, _)| *name).eq(named));
        for file in fs::read_dir(top.join("tests/captured")).unwrap() {
            let path = file.unwrap().path();
            let Ok(bytes) = fs::read(&path) else { continue };
            let start = &bytes[..bytes.len().min(4096)];
            for (_, run) in TARGETS {
                run(start);
            }
        }
    }
}
