//! Whether the compilers take the flags of make.conf. One that they refuse fails whatever is compiled.

use super::make_conf::{Deed, Finding};
use super::settings::Settings;

/// The compilers of C and C++: the language as `-x` calls it, the variable of the compiler, the one of its flags, and
/// what it is when nothing is set (`eclass/toolchain-funcs.eclass` of the gentoo repository).
const COMPILERS: [(&str, &str, &str, &str); 2] =
    [("c", "CC", "CFLAGS", "gcc"), ("c++", "CXX", "CXXFLAGS", "g++")];

/// What the compilers are tried with, as [`command::try_flags`](crate::portage::command::try_flags) takes it: the language, the
/// compiler, the variable of its flags, those flags, CPPFLAGS, LDFLAGS. Nothing for a compiler without flags, or with some that
/// are more than words: of a quoted blank each build system makes something else.
pub(crate) fn tried(settings: &Settings) -> Vec<[String; 6]> {
    let value =
        |name: &str| settings.others.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    let each = COMPILERS.iter().map(|(language, variable, name, usual)| {
        let compiler = Some(value(variable)).filter(|compiler| !compiler.is_empty());
        let compiler = compiler.unwrap_or_else(|| (*usual).to_owned());
        let (language, flags) = ((*language).to_owned(), value(name));
        [language, compiler, (*name).to_owned(), flags, value("CPPFLAGS"), value("LDFLAGS")]
    });
    let is_worth_it = |[_, compiler, _, flags @ ..]: &[String; 6]| {
        flags.iter().any(|flags| !flags.is_empty())
            && !flags.iter().chain([compiler]).any(|words| words.contains(['"', '\'', '\\', '$', '`']))
    };
    each.filter(is_worth_it).collect()
}

/// How the line begins that names the compiler and the variable whose flags it refuses; its words follow.
const REFUSED: &str = "gbsup refused: ";

/// What a compiler has against the flags, from what [`command::try_flags`](crate::portage::command::try_flags) printed.
pub(crate) fn judge(text: &[u8]) -> Option<Finding> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (compiler, variable) = lines.find_map(|line| line.strip_prefix(REFUSED))?.rsplit_once(' ')?;
    let variable =
        ["CPPFLAGS", "LDFLAGS", "CFLAGS", "CXXFLAGS"].into_iter().find(|name| *name == variable)?;
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with(REFUSED)).collect();
    let tells = |line: &&&str| line.contains("error: ") && !line.starts_with("collect2:");
    let words = lines.iter().find(tells).or_else(|| lines.first())?;
    let words =
        format!("{variable} has what {compiler} refuses, and whatever is compiled would fail: {words}");
    Some(Finding { deed: Deed::Stop, variable, words, suggestions: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_compiler_gets_its_own_flags() {
        let of = |text: &str| tried(&Settings::parse(text.as_bytes()));
        assert!(of("CC=clang\nCFLAGS=' '\n").is_empty(), "nothing to try");
        assert!(of("LDFLAGS='-DX=\"a b\"'\n").is_empty(), "who knows what becomes of it");
        assert_eq!(
            of("CFLAGS='-O2 -pipe'\nLDFLAGS=-Wl,-O1\nCXX='ccache clang++'\n"),
            [
                ["c", "gcc", "CFLAGS", "-O2 -pipe", "", "-Wl,-O1"],
                ["c++", "ccache clang++", "CXXFLAGS", "", "", "-Wl,-O1"]
            ]
        );
    }

    #[test]
    fn the_words_of_the_compiler_are_told() {
        for (text, variable, words) in [
            (
                "gbsup refused: gcc CFLAGS\ncc1: warning: x\ncc1: error: bad value 'nosuch' for '-march=' switch\ncc1: note: valid\n",
                "CFLAGS",
                "CFLAGS has what gcc refuses, and whatever is compiled would fail: cc1: error: bad value 'nosuch' for '-march=' switch",
            ),
            (
                "gbsup refused: ccache clang++ LDFLAGS\n/usr/bin/ld: unrecognized option '--nosuch'\ncollect2: error: ld returned 1 exit status\n",
                "LDFLAGS",
                "LDFLAGS has what ccache clang++ refuses, and whatever is compiled would fail: /usr/bin/ld: unrecognized option '--nosuch'",
            ),
        ] {
            let finding = judge(text.as_bytes()).unwrap();
            assert_eq!(
                (finding.deed, finding.variable, finding.words.as_str()),
                (Deed::Stop, variable, words)
            );
        }
        for text in ["", "gcc: warning: x\n", "gbsup refused: gcc PATH\nx\n", "gbsup refused: gcc CFLAGS\n"] {
            assert!(judge(text.as_bytes()).is_none(), "{text}");
        }
    }
}
