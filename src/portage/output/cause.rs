//! The line of a failed phase that says what went wrong, for a person to read. Nothing is decided by it.
//!
//! Helpers die with words such as `emake failed`; what failed stands somewhere before that, in the words of a compiler, a build
//! system, a test runner or an eclass.

use std::borrow::Cow;

use super::signs::plain;

/// How a line is known that says what went wrong.
enum Known {
    /// It begins so.
    Starts(&'static str),
    /// It has this in it.
    Has(&'static str),
    /// It begins so, and the next line that is not blank says the rest.
    Before(&'static str),
    /// It has this in it, and the next line that is not blank says the rest.
    Heads(&'static str),
}
use Known::{Before, Has, Heads, Starts};

/// What test runners print of a test that failed: pytest, automake, go, ctest, TAP.
const TESTS: &[Known] = &[
    Starts("FAILED "),
    Starts("FAIL: "),
    Starts("--- FAIL: "),
    Before("The following tests FAILED:"),
    Starts("not ok "),
];

/// What eclasses, compilers, linkers and build systems print, the surest first.
const ERRORS: &[&[Known]] = &[
    &[
        // linux-info.eclass, check-reqs.eclass, multilib-strict and eapply in `bin/` of Portage.
        Has(" is not set when it should be"),
        Has(" should not be set"),
        Starts("There is NOT at least "),
        Heads(" file type that is not allowed"),
        Has(" FAILED -- saving rejects to file "),
        Starts("patch: **** "),
        Starts("gpg: BAD signature"),
        Starts("gpg: Can't check signature"),
        Before("CMake Error"),
        Has("meson.build:"),
        Starts("configure: error: "),
    ],
    &[
        Has(": fatal error: "),
        Has(": error: "),
        Starts("error[E"),
        Has("undefined reference to"),
        Has("cannot find -l"),
        Has(": internal compiler error: "),
        Has("No rule to make target"),
        Has("No space left on device"),
        Has("Temporary failure in name resolution"),
        Has("Could not resolve host"),
        Has(": command not found"),
        Has(": Permission denied"),
    ],
    &[Starts("fatal: "), Starts("error: "), Starts("ERROR: "), Has("' panicked at ")],
];

/// What says only that something else failed.
const EMPTY: &[&str] = &[
    "configure: error: in `",
    "configure: error: in '",
    "error: could not compile",
    "error: aborting due to",
    "error: process didn't exit",
    "error: subprocess-exited-with-error",
    "meson.build:1:0",
];

/// The first line of the phase that says what went wrong; the surest kind of line decides.
pub(super) fn cause(phase: &[Cow<[u8]>]) -> Option<String> {
    let lines: Vec<String> = phase.iter().map(|line| plain(line)).collect();
    let lines: Vec<&str> = lines.iter().map(|line| words(line)).filter(|line| !line.is_empty()).collect();
    let first = |known: &[Known]| (0..lines.len()).find_map(|at| told(&lines[at..], known));
    let sandbox = || lines.iter().position(|line| line.contains("ACCESS VIOLATION SUMMARY"));
    first(TESTS)
        .or_else(|| violation(&lines[sandbox()?..]))
        .or_else(|| ERRORS.iter().find_map(|known| first(known)))
        .or_else(|| lines.iter().find(|line| is_exception(line)).map(|line| (*line).to_owned()))
        .map(|line| short(&line))
}

/// Without what einfo and eerror put before a line.
fn words(line: &str) -> &str {
    let line = line.trim();
    line.strip_prefix("* ").or(line.strip_prefix("!!! ")).map_or(line, str::trim)
}

fn told(lines: &[&str], known: &[Known]) -> Option<String> {
    let (line, rest) = lines.split_first()?;
    if EMPTY.iter().any(|empty| line.starts_with(empty)) {
        return None;
    }
    let found = known.iter().find(|known| match known {
        Starts(words) | Before(words) => line.starts_with(words),
        Has(words) | Heads(words) => line.contains(words),
    })?;
    match found {
        // Whatever else meson says of a file of its own is a warning or a message.
        Has("meson.build:") if !line.contains("ERROR: ") => None,
        Starts(_) | Has(_) => Some((*line).to_owned()),
        Before(_) | Heads(_) => Some(rest.first().map_or((*line).to_owned(), |next| (*next).to_owned())),
    }
}

/// `F: open_wr` and `P: /root/x` of the sandbox's report.
fn violation(lines: &[&str]) -> Option<String> {
    let after = |key: &str| lines.iter().find_map(|line| line.strip_prefix(key));
    Some(format!("the sandbox refused {} of {}", after("F: ")?, after("P: ")?))
}

/// `ModuleNotFoundError: No module named 'setuptools'`
fn is_exception(line: &str) -> bool {
    let Some((name, words)) = line.split_once(": ") else { return false };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    !words.is_empty() && is_name && (last.ends_with("Error") || last.ends_with("Exception")) && last.len() > 5
}

/// Paths in the build directory begins where the sources do.
pub(super) fn short(line: &str) -> String {
    let inner = |word: &str| {
        let at = word.find("/portage/")?;
        let (_, path) = word[at..].split_once("/work/")?;
        let before = word[..at].find('/').map_or("", |slash| &word[..slash]);
        Some(format!("{before}{path}"))
    };
    let words = line.split_whitespace().map(|word| inner(word).unwrap_or_else(|| word.to_owned()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        let lines: Vec<_> = text.lines().map(|line| Cow::Borrowed(line.as_bytes())).collect();
        cause(&lines)
    }

    #[test]
    fn the_line_that_says_it() {
        for (text, want) in [
            (
                "cc -c a.c\n/var/tmp/portage/a/b-1/work/b-1/a.c:3:5: error: expected ';'\nmake: *** [Makefile:2: a.o] Error 1",
                "b-1/a.c:3:5: error: expected ';'",
            ),
            (
                "-- The CXX compiler is GNU\nCMake Error at CMakeLists.txt:5 (cmake_minimum_required):\n  Compatibility with CMake < 3.5 has been removed from CMake.\n\n-- Configuring incomplete, errors occurred!",
                "Compatibility with CMake < 3.5 has been removed from CMake.",
            ),
            (
                "../gtk-4.16/meson.build:3:1: WARNING: old\n../gtk-4.16/meson.build:556:17: ERROR: Dependency \"wayland-protocols\" not found\n\nA full log can be found at /var/tmp/x",
                "../gtk-4.16/meson.build:556:17: ERROR: Dependency \"wayland-protocols\" not found",
            ),
            (
                "checking whether the C compiler works... no\nconfigure: error: in '/w':\nconfigure: error: C compiler cannot create executables",
                "configure: error: C compiler cannot create executables",
            ),
            (
                "Traceback (most recent call last):\n  File \"x.py\", line 4, in <module>\n    from setuptools import build_meta\nModuleNotFoundError: No module named 'setuptools'",
                "ModuleNotFoundError: No module named 'setuptools'",
            ),
            (
                "error: failed to run custom build command for `openssl-sys v0.9.93`\nerror: could not compile `x`",
                "error: failed to run custom build command for `openssl-sys v0.9.93`",
            ),
            ("error: could not compile `x` (lib)", ""),
            (
                "x.rs:1: note\nerror[E0308]: mismatched types\nerror: aborting due to 1 previous error",
                "error[E0308]: mismatched types",
            ),
            (
                "tests/a.py ..F\nFAILED tests/a.py::test_net - AssertionError\n=== 1 failed, 212 passed ===",
                "FAILED tests/a.py::test_net - AssertionError",
            ),
            (
                "The following tests FAILED:\n\t  7 - resolve (Failed)\nErrors while running CTest",
                "7 - resolve (Failed)",
            ),
            (
                " * ---- ACCESS VIOLATION SUMMARY ----\n * LOG FILE: \"/x\"\nF: open_wr\nS: deny\nP: /root/.cache/x\nC: python3 setup.py",
                "the sandbox refused open_wr of /root/.cache/x",
            ),
            (
                " * Checking for suitable kernel configuration options...\n *   CONFIG_NFSD: is not set when it should be.",
                "CONFIG_NFSD: is not set when it should be.",
            ),
            (" * There is NOT at least 16 GiB RAM", "There is NOT at least 16 GiB RAM"),
            (
                "Files matching a file type that is not allowed:\n   usr/lib/libbaz.so.1: ELF 64-bit",
                "usr/lib/libbaz.so.1: ELF 64-bit",
            ),
            (
                "1 out of 1 hunk FAILED -- saving rejects to file a.c.rej",
                "1 out of 1 hunk FAILED -- saving rejects to file a.c.rej",
            ),
            ("checking for errors: error handling... yes\nKilled\nmake: *** [all] Error 1", ""),
        ] {
            assert_eq!(of(text).unwrap_or_default(), want, "{text}");
        }
    }
}
