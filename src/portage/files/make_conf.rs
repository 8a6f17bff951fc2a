//! What stands in a client's make.conf and is wrong for a builder.
//!
//! docs/make-conf.md goes through make.conf(5) word by word. What a builder can do without is switched off for its own
//! runs ([`command`](crate::portage::command)) and is not judged here; this is the rest: what has to be put right before anything
//! is built, and what is only told.

use super::makeopts;
use super::settings::Settings;
use crate::portage::command::shell_quote;
use crate::portage::output::complaints;

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Nothing is built until it is changed.
    Stop,
    /// It is told.
    Tell,
}

/// Something that a builder should not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What is done about it.
    pub deed: Deed,
    /// The variable of make.conf that says so; empty where it is something else.
    pub variable: &'static str,
    /// What it says and what comes of that, in one sentence.
    pub words: String,
    /// Commands that put it right, where there are any.
    pub suggestions: Vec<String>,
}

/// What the judgement needs to know of the machine.
pub(crate) struct Machine<'a> {
    /// Whether a program is installed.
    pub found: &'a dyn Fn(&str) -> bool,
    /// Processors.
    pub cpus: u32,
}

/// The values that BINPKG_COMPRESS may have, the program that each needs and its package
/// (`portage/util/compression_probe.py`). `none` and nothing at all are two more, and mean no compression.
const COMPRESSIONS: &[(&str, &str, &str)] = &[
    ("bzip2", "bzip2", "app-arch/bzip2"),
    ("gzip", "gzip", "app-arch/gzip"),
    ("lz4", "lz4", "app-arch/lz4"),
    ("lzip", "lzip", "app-arch/lzip"),
    ("lzop", "lzop", "app-arch/lzop"),
    ("xz", "xz", "app-arch/xz-utils"),
    ("zstd", "zstd", "app-arch/zstd"),
];

/// The ending of a member of a gpkg, and the program and package that it takes to read it (`portage/gpkg.py`,
/// `portage/util/compression_probe.py`); `None` without compression, or for an ending that nobody knows.
pub(crate) fn decompressor(member: &str) -> Option<(&'static str, &'static str)> {
    let program = match member.rsplit_once(".tar.")?.1 {
        "bz2" => "bzip2",
        "gz" => "gzip",
        "lz" => "lzip",
        "lz4" => "lz4",
        "lzo" => "lzop",
        "xz" => "xz",
        "zst" => "zstd",
        _ => return None,
    };
    COMPRESSIONS.iter().find(|(name, ..)| *name == program).map(|(_, program, package)| (*program, *package))
}

/// More processes for each processor than this are a slip, or meant for another machine.
const MOST_JOBS: u32 = 4;

/// What a build needs of other packages: header files, descriptions for the linker and for build systems.
const NEEDED_BY_BUILDS: &[&str] = &[
    "/usr/include",
    "/usr/lib/pkgconfig",
    "/usr/lib64/pkgconfig",
    "/usr/share/aclocal",
    "/usr/share/pkgconfig",
    "*.a",
    "*.h",
    "*.la",
    "*.pc",
    "/usr/lib64/cmake",
];

/// What of these settings is wrong for a builder; what stops it first.
pub(crate) fn judge(settings: &Settings, machine: &Machine) -> Vec<Finding> {
    let all = [
        compression(settings, machine),
        documents(settings, machine),
        root(settings),
        signing_key(settings),
        format(settings),
        masks(settings, "INSTALL_MASK"),
        masks(settings, "PKG_INSTALL_MASK"),
        jobs(settings, machine),
        fetch(settings, machine),
        work_directories(settings),
        relative(settings),
        flags(settings),
        has(settings, "stricter").then(|| {
            tell("FEATURES", "stricter makes a package fail for what others only warn of".to_owned())
        }),
    ];
    let mut found: Vec<Finding> = all.into_iter().flatten().collect();
    found.sort_by_key(|finding| finding.deed == Deed::Tell);
    found
}

/// Portage 3.0.83 reads a member without an ending with its own BINPKG_COMPRESS: a client that has another than the
/// builder cannot install such a package.
fn compression(settings: &Settings, machine: &Machine) -> Option<Finding> {
    let value = settings.others.get("BINPKG_COMPRESS")?.trim();
    let stop = |words, suggestions| {
        Some(Finding { deed: Deed::Stop, variable: "BINPKG_COMPRESS", words, suggestions })
    };
    let shown = if value.is_empty() { "\"\"" } else { value };
    if matches!(value, "" | "none") {
        let words = format!(
            "BINPKG_COMPRESS is {shown}, and what is packed without compression can be installed only by clients that \
             have the same setting; remove it, or set zstd"
        );
        return stop(words, Vec::new());
    }
    let Some((_, program, package)) = COMPRESSIONS.iter().find(|(name, ..)| *name == value) else {
        let names: Vec<&str> = COMPRESSIONS.iter().map(|(name, ..)| *name).collect();
        let words =
            format!("BINPKG_COMPRESS is {shown}, which Portage does not know; it has {}", names.join(", "));
        return stop(words, Vec::new());
    };
    let command = settings.others.get("PORTAGE_BZIP2_COMMAND").filter(|_| *program == "bzip2");
    let program = command.and_then(|command| command.split_whitespace().next()).unwrap_or(program);
    if (machine.found)(program) {
        return None;
    }
    let words = format!("BINPKG_COMPRESS is {shown}, and {program} is not installed");
    stop(words, vec![format!("FEATURES=-buildpkg emerge --oneshot --buildpkg=n {package}")])
}

/// `ecompress` dies in the install phase of whatever has a manual page (`bin/ecompress`). Nothing at all means that
/// manual pages stay as they are.
fn documents(settings: &Settings, machine: &Machine) -> Option<Finding> {
    let program = settings.others.get("PORTAGE_COMPRESS")?.split_whitespace().next()?;
    if (machine.found)(program) {
        return None;
    }
    let words = format!(
        "PORTAGE_COMPRESS is {}, which is not installed: whatever has a manual page fails",
        shell_quote(program)
    );
    Some(Finding { deed: Deed::Stop, ..tell("PORTAGE_COMPRESS", words) })
}

/// With another root Portage looks there for the world and for what is installed, finds neither, and has nothing to
/// do. It takes `ROOT` from make.conf, and `SYSROOT`, `EPREFIX` and `PORTAGE_CONFIGROOT` from the environment alone,
/// where gbsup passes none of them on.
fn root(settings: &Settings) -> Option<Finding> {
    let root = settings.others.get("ROOT")?;
    if root.chars().all(|c| c == '/') {
        return None;
    }
    let words = format!(
        "ROOT is {}, so Portage would update the system there and not the one that it runs in; remove it",
        shell_quote(root)
    );
    Some(Finding { deed: Deed::Stop, ..tell("ROOT", words) })
}

/// Without its key Portage refuses to build (`_emerge/actions.py:action_build`).
fn signing_key(settings: &Settings) -> Option<Finding> {
    if !has(settings, "binpkg-signing") || settings.signatures.own.is_some() {
        return None;
    }
    let words = "FEATURES has binpkg-signing, and BINPKG_GPG_SIGNING_GPG_HOME or BINPKG_GPG_SIGNING_KEY is not set; \
                 set both, or remove it: gbsup signs what it publishes by itself";
    Some(Finding { deed: Deed::Stop, variable: "FEATURES", words: words.to_owned(), suggestions: Vec::new() })
}

fn format(settings: &Settings) -> Option<Finding> {
    let value = settings.others.get("BINPKG_FORMAT")?.trim();
    let words = match value {
        "" | "gpkg" => return None,
        "xpak" => "BINPKG_FORMAT is xpak: packages of that format have no signatures, and clients that ask for some \
                   refuse them"
            .to_owned(),
        _ => format!("BINPKG_FORMAT is {value}, which Portage does not know: it takes gpkg"),
    };
    Some(tell("BINPKG_FORMAT", words))
}

/// A client has no use for header files; what is built here has.
fn masks(settings: &Settings, variable: &'static str) -> Option<Finding> {
    let words: Vec<&str> = settings.others.get(variable)?.split_whitespace().collect();
    let masked = words.iter().find(|word| {
        let word = word.trim_end_matches(['/', '*']);
        !word.is_empty()
            && NEEDED_BY_BUILDS
                .iter()
                .any(|needed| needed.trim_start_matches('*') == word.trim_start_matches('*'))
            || word == "/usr"
    })?;
    let words = format!("{variable} takes away {masked}, which other packages need to be built");
    Some(tell(variable, words))
}

fn jobs(settings: &Settings, machine: &Machine) -> Option<Finding> {
    let makeopts = settings.makeopts.trim();
    if let Some(word) = makeopts::broken(makeopts) {
        let words = format!("MAKEOPTS has {word}, which is not a number of jobs: whatever calls make fails");
        return Some(Finding { deed: Deed::Stop, ..tell("MAKEOPTS", words) });
    }
    let many = match makeopts::jobs(makeopts) {
        Some(jobs) => jobs > machine.cpus.saturating_mul(MOST_JOBS),
        None => makeopts.split_whitespace().any(|word| matches!(word, "-j" | "--jobs")),
    };
    let cpus = machine.cpus;
    let words =
        || format!("MAKEOPTS is {makeopts}, on {cpus} processors: memory runs out, or nothing gets done");
    many.then(|| tell("MAKEOPTS", words()))
}

fn fetch(settings: &Settings, machine: &Machine) -> Option<Finding> {
    let program = settings.others.get("FETCHCOMMAND")?.split_whitespace().next()?;
    // A variable or a quoted path is for a shell to understand.
    let is_name = program.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._+-".contains(&b));
    if !is_name || (machine.found)(program) {
        return None;
    }
    let words = format!(
        "FETCHCOMMAND calls {}, which is not installed: nothing can be fetched",
        shell_quote(program)
    );
    Some(tell("FETCHCOMMAND", words))
}

fn work_directories(settings: &Settings) -> Option<Finding> {
    let kept = ["keepwork", "keeptemp", "noclean"].into_iter().find(|feature| has(settings, feature))?;
    let place = settings.tmpdir.join("portage");
    let words =
        format!("{kept} keeps what is left of each build in {}, until the disk is full", place.display());
    Some(tell("FEATURES", words))
}

/// Portage takes such a path from wherever it is called.
fn relative(settings: &Settings) -> Option<Finding> {
    let places = [
        ("PORTAGE_TMPDIR", Some(&settings.tmpdir)),
        ("PKGDIR", Some(&settings.pkgdir)),
        ("DISTDIR", Some(&settings.distdir)),
        ("PORTAGE_LOGDIR", settings.logdir.as_ref()),
        ("EMERGE_LOG_DIR", Some(&settings.emerge_log_dir)),
    ];
    let mut set = places.into_iter().filter_map(|(name, path)| Some((name, path?)));
    let (variable, path) = set.find(|(_, path)| path.is_relative())?;
    let words = format!("{variable} is {}, and it has to begin with a slash", path.display());
    Some(Finding { deed: Deed::Stop, ..tell(variable, words) })
}

/// Portage passes over in silence what no flag can be called.
fn flags(settings: &Settings) -> Option<Finding> {
    let word = settings.others.get("USE")?.split_whitespace().find(|word| !complaints::is_flag(word))?;
    Some(tell("USE", format!("USE has {word}, which is not a USE flag and does nothing")))
}

fn has(settings: &Settings, feature: &str) -> bool {
    settings.features.contains(feature)
}

fn tell(variable: &'static str, words: String) -> Finding {
    Finding { deed: Deed::Tell, variable, words, suggestions: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Vec<(Deed, String)> {
        let found = |program: &str| matches!(program, "zstd" | "xz" | "wget");
        let findings = judge(&Settings::parse(text.as_bytes()), &Machine { found: &found, cpus: 4 });
        findings.into_iter().map(|finding| (finding.deed, finding.words)).collect()
    }

    #[test]
    fn what_is_right_is_passed_over() {
        for text in [
            "",
            "BINPKG_COMPRESS=zstd\nBINPKG_FORMAT=gpkg\nFETCHCOMMAND='wget -t 3'\nMAKEOPTS=-j8\nINSTALL_MASK=/usr/share/doc\n",
            "BINPKG_COMPRESS=xz\nMAKEOPTS='-j 16 -l8'\nFETCHCOMMAND='${X}/y z'\nPKG_INSTALL_MASK='/usr/share/locale/* *.ico'\n",
            "PORTAGE_COMPRESS=''\nROOT=/\n",
            "PORTAGE_COMPRESS='zstd -q'\nROOT=''\n",
            "FEATURES='binpkg-signing'\nBINPKG_GPG_SIGNING_GPG_HOME=/k\nBINPKG_GPG_SIGNING_KEY=0xA\n",
            include_str!("../../../tests/captured/envvar.txt"),
        ] {
            assert_eq!(judged(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, deed, words) in [
            ("BINPKG_COMPRESS=''\n", Deed::Stop, "BINPKG_COMPRESS is \"\""),
            ("BINPKG_COMPRESS=none\n", Deed::Stop, "BINPKG_COMPRESS is none"),
            ("BINPKG_COMPRESS=zst\n", Deed::Stop, "which Portage does not know; it has bzip2, gzip"),
            ("BINPKG_COMPRESS=lz4\n", Deed::Stop, "lz4 is not installed"),
            (
                "BINPKG_COMPRESS=bzip2\nPORTAGE_BZIP2_COMMAND='pbzip2 -q'\n",
                Deed::Stop,
                "pbzip2 is not installed",
            ),
            (
                "PORTAGE_COMPRESS=nosuchzip\n",
                Deed::Stop,
                "PORTAGE_COMPRESS is nosuchzip, which is not installed",
            ),
            ("ROOT=/mnt/\n", Deed::Stop, "ROOT is /mnt/, so Portage would update the system there"),
            ("FEATURES=binpkg-signing\n", Deed::Stop, "BINPKG_GPG_SIGNING_KEY is not set"),
            ("BINPKG_FORMAT=xpak\n", Deed::Tell, "have no signatures"),
            ("BINPKG_FORMAT=rpm\n", Deed::Tell, "it takes gpkg"),
            ("INSTALL_MASK='/usr/share/doc /usr/include/'\n", Deed::Tell, "takes away /usr/include/"),
            ("INSTALL_MASK='*.la'\n", Deed::Tell, "takes away *.la"),
            ("PKG_INSTALL_MASK='/usr/lib64/cmake/*'\n", Deed::Tell, "PKG_INSTALL_MASK takes away"),
            ("MAKEOPTS='-j'\n", Deed::Tell, "MAKEOPTS is -j, on 4 processors"),
            ("MAKEOPTS='-j8,'\n", Deed::Stop, "MAKEOPTS has -j8,"),
            ("PORTAGE_TMPDIR=tmp\n", Deed::Stop, "PORTAGE_TMPDIR is tmp, and it has to begin with a slash"),
            ("PORTAGE_LOGDIR=log\n", Deed::Stop, "PORTAGE_LOGDIR is log"),
            ("USE='amd64 foo,bar'\n", Deed::Tell, "USE has foo,bar, which is not a USE flag"),
            ("MAKEOPTS='-j64'\n", Deed::Tell, "MAKEOPTS is -j64"),
            ("FETCHCOMMAND='aria2c -d x'\n", Deed::Tell, "aria2c, which is not installed"),
            ("FEATURES='noclean'\n", Deed::Tell, "until the disk is full"),
            ("FEATURES='stricter'\n", Deed::Tell, "stricter"),
        ] {
            let found = judged(text);
            assert!(
                found.len() == 1 && found[0].0 == deed && found[0].1.contains(words),
                "{text}: {found:?}"
            );
        }
        // What stops it comes first.
        assert_eq!(judged("MAKEOPTS=-j\nBINPKG_COMPRESS=none\n")[0].0, Deed::Stop);
    }

    /// The manual has a row for each.
    #[test]
    fn the_manual_names_all_of_it() {
        let manual = include_str!("../../../docs/make-conf.md");
        let switched = crate::portage::command::switched_features();
        for name in switched
            .iter()
            .map(|name| name.trim_start_matches('-'))
            .chain(["keepwork", "keeptemp", "noclean", "stricter"])
        {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
        for (name, ..) in COMPRESSIONS {
            assert!(manual.contains(name), "{name}");
        }
    }

    #[test]
    fn what_it_takes_to_read_a_member() {
        assert_eq!(decompressor("image.tar.lz4"), Some(("lz4", "app-arch/lz4")));
        assert_eq!(decompressor("metadata.tar.zst"), Some(("zstd", "app-arch/zstd")));
        assert_eq!(decompressor("image.tar"), None);
        assert_eq!(decompressor("image.tar.sig"), None);
    }
}
