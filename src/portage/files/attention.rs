//! What Portage leaves for a person to look at: news that nobody has read, configuration files that wait to be merged, and
//! settings that bind packages to this machine's processor.
//!
//! Sources: GLEP 42 and `portage/news.py`; `portage/util/__init__.py:ConfigProtect`, `new_protect_filename`; make.conf(5).

use std::path::{Path, PathBuf};

use crate::words::and_more;

/// The variables that [`Attention`] is made of.
pub(crate) const KEYS: &[&str] =
    &["CC", "CFLAGS", "CONFIG_PROTECT", "CONFIG_PROTECT_MASK", "CXXFLAGS", "FCFLAGS", "RUSTFLAGS"];

/// Where Portage keeps which news of a repository are unread: `news-REPOSITORY.unread`, a name a line (GLEP 42).
pub(crate) const NEWS: &str = "/var/lib/gentoo/news";

/// So many things are named in a sentence.
const NAMED: usize = 4;

/// Settings that decide what there is to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attention {
    /// CONFIG_PROTECT: files and directories whose files are not overwritten.
    pub protect: Vec<PathBuf>,
    /// CONFIG_PROTECT_MASK: what of them is.
    pub mask: Vec<PathBuf>,
    /// The flags of compilers, by the name of the variable.
    pub flags: Vec<(&'static str, String)>,
    /// CC; empty when unset.
    pub compiler: String,
}

impl Attention {
    /// From the values of [`KEYS`].
    pub(crate) fn new(take: &mut impl FnMut(&str) -> Option<String>) -> Self {
        let mut paths = |name| -> Vec<PathBuf> {
            let value = take(name).unwrap_or_default();
            value.split_whitespace().filter(|path| path.starts_with('/')).map(PathBuf::from).collect()
        };
        let (protect, mask) = (paths("CONFIG_PROTECT"), paths("CONFIG_PROTECT_MASK"));
        let flags = ["CFLAGS", "CXXFLAGS", "FCFLAGS", "RUSTFLAGS"];
        let flags = flags.into_iter().filter_map(|name| Some((name, take(name)?))).collect();
        Self { protect, mask, flags, compiler: take("CC").unwrap_or_default() }
    }

    /// What binds packages to the processor of this machine, each variable with its option.
    pub(crate) fn native(&self) -> Vec<(&'static str, &str)> {
        self.flags.iter().filter_map(|(name, flags)| Some((*name, native(flags)?))).collect()
    }

    /// The compiler that resolves the options of C.
    pub(crate) fn compiler(&self) -> &str {
        self.compiler.split_whitespace().next_back().filter(|word| !word.starts_with('-')).unwrap_or("gcc")
    }
}

/// The option that means the processor of the machine that compiles. `-march=native` of C, `-C target-cpu=native` of Rust.
fn native(flags: &str) -> Option<&str> {
    let mut words = flags.split_whitespace();
    words.find(|word| {
        let option = word.trim_start_matches("-C").trim_start_matches('-').strip_suffix("=native");
        matches!(option, Some("march" | "mcpu" | "mtune" | "target-cpu"))
    })
}

/// What an option with `native` stands for here, from what a compiler printed: `gcc OPTION -Q --help=target`, `clang OPTION -###`,
/// `rustc --print target-cpus`.
pub(crate) fn resolved(option: &str, text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let is_name = |name: &&str| {
        !name.is_empty()
            && *name != "native"
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
    };
    let gcc = || {
        let option = option.strip_suffix("native")?;
        text.lines().find_map(|line| line.trim().strip_prefix(option).map(str::trim))
    };
    let clang = || text.split_once("\"-target-cpu\" \"")?.1.split('"').next();
    let rustc = || text.split_once("(currently ")?.1.split(')').next();
    gcc()
        .filter(is_name)
        .or_else(|| clang().filter(is_name))
        .or_else(|| rustc().filter(is_name))
        .map(str::to_owned)
}

/// What a person should know about an option that binds packages to a processor.
pub(crate) fn bound(variable: &str, option: &str, resolved: Option<&str>) -> String {
    let here = match resolved {
        Some(name) => format!("which is {name} on this machine"),
        None => "and which processor that is here the compiler does not say".to_owned(),
    };
    // What a build is only tuned for runs everywhere.
    if option.contains("mtune") {
        return format!("{variable} has {option}, {here}: packages are tuned for that processor");
    }
    let ask = if variable == "RUSTFLAGS" {
        "rustc --print target-cpus"
    } else {
        "gcc -march=native -Q --help=target"
    };
    format!(
        "{variable} has {option}, {here}: on another processor programs may die of illegal instructions; name the oldest one of \
         your clients in make.conf instead ({ask})"
    )
}

/// The names of the items that nobody has read, from one of Portage's files.
pub(crate) fn unread(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| !name.is_empty() && !name.starts_with('.') && !name.contains('/');
    text.lines().map(str::trim).filter(is_name)
}

/// The title of an item (GLEP 42: a line of its header).
pub(crate) fn title(item: &str) -> Option<&str> {
    let header = item.lines().take_while(|line| !line.trim().is_empty());
    header.filter_map(|line| line.strip_prefix("Title:")).map(str::trim).find(|title| !title.is_empty())
}

/// What a person should know about news; nothing when there are none.
pub(crate) fn news(titles: &[String]) -> Option<String> {
    let quoted: Vec<String> = titles.iter().map(|title| format!("\"{title}\"")).collect();
    (!quoted.is_empty()).then(|| format!("unread news: {}; read them: eselect news read", some(&quoted)))
}

/// The file that a new version of which waits under this name: `._cfg0000_make.conf` for `make.conf`.
pub(crate) fn waits_for(name: &str) -> Option<&str> {
    let (number, name) = name.strip_prefix("._cfg")?.split_once('_')?;
    (number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty()).then_some(name)
}

/// What a person should know about configuration files, given those of which new versions wait; nothing when none do.
pub(crate) fn waiting(files: &[PathBuf]) -> Option<String> {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    (!files.is_empty()).then(|| {
        format!(
            "new versions of configuration files wait to be merged: {}; do it with: dispatch-conf",
            some(&files)
        )
    })
}

/// Whether files below a directory are overwritten, of what is protected: the longest path decides.
pub(crate) fn is_masked(directory: &Path, protect: &[PathBuf], mask: &[PathBuf]) -> bool {
    let longest = |paths: &[PathBuf]| {
        let matching = paths.iter().filter(|path| directory.starts_with(path));
        matching.map(|path| path.components().count()).max()
    };
    longest(mask).is_some_and(|mask| longest(protect).is_none_or(|protect| mask > protect))
}

/// `a, b, c and 3 more`
fn some(all: &[String]) -> String {
    let (named, rest) = all.split_at(all.len().min(NAMED));
    named.join(", ") + &and_more(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::files::settings::Settings;

    fn attention(text: &str) -> Attention {
        Settings::parse(text.as_bytes()).attention
    }

    #[test]
    fn what_binds_packages_to_a_processor() {
        for (text, found) in [
            ("CFLAGS='-O2 -pipe'\n", vec![]),
            (
                "CFLAGS='-O2 -march=native'\nCXXFLAGS=-march=native\n",
                vec![("CFLAGS", "-march=native"), ("CXXFLAGS", "-march=native")],
            ),
            ("CFLAGS='-mcpu=native -mtune=native'\n", vec![("CFLAGS", "-mcpu=native")]),
            ("CFLAGS='-O2 -march=x86-64-v3 -mtune=native'\n", vec![("CFLAGS", "-mtune=native")]),
            ("RUSTFLAGS='-C opt-level=3 -C target-cpu=native'\n", vec![("RUSTFLAGS", "target-cpu=native")]),
            ("RUSTFLAGS=-Ctarget-cpu=native\n", vec![("RUSTFLAGS", "-Ctarget-cpu=native")]),
            ("CFLAGS='-DNAME=native -march=nativeX --with-native'\n", vec![]),
        ] {
            assert_eq!(attention(text).native(), found, "{text}");
        }
        assert_eq!(attention("CC='ccache clang-17'\n").compiler(), "clang-17");
        assert_eq!(attention("CC='gcc -m32'\n").compiler(), "gcc");
        assert_eq!(attention("").compiler(), "gcc");
    }

    #[test]
    fn what_native_stands_for() {
        let gcc = b"The following options are target specific:\n  -m128bit-long-double        \t\t[enabled]\n  -march=                     \t\tznver3\n  -mtune=                     \t\tznver3\n";
        assert_eq!(resolved("-march=native", gcc).as_deref(), Some("znver3"));
        assert_eq!(resolved("-mcpu=native", gcc), None);
        let clang = br#"clang version 14
 "/usr/bin/clang" "-cc1" "-target-cpu" "skylake" "-target-feature" "+sse2""#;
        assert_eq!(resolved("-march=native", clang).as_deref(), Some("skylake"));
        let rustc = b"Available CPUs for this target:\n    native                  - Select the CPU of the current host (currently znver4).\n";
        assert_eq!(resolved("target-cpu=native", rustc).as_deref(), Some("znver4"));
        assert_eq!(resolved("-march=native", b"gcc: error: \n  -march= native\n"), None);
        let told = bound("CFLAGS", "-march=native", Some("znver3"));
        assert!(
            told.starts_with("CFLAGS has -march=native, which is znver3 on this machine: on another"),
            "{told}"
        );
        assert!(!bound("CFLAGS", "-mtune=native", None).contains("illegal"));
    }

    #[test]
    fn news_and_their_titles() {
        let names: Vec<&str> =
            unread("2026-05-03-binpkg\n\n../../etc/passwd\n.x\n2026-06-01-perl\n").collect();
        assert_eq!(names, ["2026-05-03-binpkg", "2026-06-01-perl"]);
        let item = "Title: Perl 5.42 is stable\nAuthor: A <a@example.org>\nRevision: 1\n\nTitle: no\n";
        assert_eq!(title(item), Some("Perl 5.42 is stable"));
        assert_eq!(title("Author: x\n\nTitle: no\n"), None);
        let all: Vec<String> = (1..=6).map(|n| format!("Item {n}")).collect();
        assert_eq!(
            news(&all).as_deref(),
            Some(
                "unread news: \"Item 1\", \"Item 2\", \"Item 3\", \"Item 4\" and 2 more; read them: eselect news read"
            )
        );
        assert_eq!(news(&[]), None);
    }

    #[test]
    fn configuration_files_that_wait() {
        assert_eq!(waits_for("._cfg0000_make.conf"), Some("make.conf"));
        assert_eq!(waits_for("._cfg0012_a_b"), Some("a_b"));
        for name in ["make.conf", "._cfg_make.conf", "._cfg000_x", "._cfg00a0_x", "._cfg0000_", "._mrg0000_x"]
        {
            assert_eq!(waits_for(name), None, "{name}");
        }
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect::<Vec<_>>();
        let (protect, mask) = (paths(&["/etc", "/etc/env.d/keep"]), paths(&["/etc/env.d"]));
        for (directory, masked) in [
            ("/etc", false),
            ("/etc/env.d", true),
            ("/etc/env.d/x", true),
            ("/etc/env.d/keep", false),
            ("/etc/env.dx", false),
        ] {
            assert_eq!(is_masked(Path::new(directory), &protect, &mask), masked, "{directory}");
        }
        let told = waiting(&paths(&["/etc/make.conf"])).unwrap();
        assert_eq!(
            told,
            "new versions of configuration files wait to be merged: /etc/make.conf; do it with: dispatch-conf"
        );
    }
}
