//! What the documentation shows, beside what one sees: the `console` blocks of the pages, by their names, and the
//! picture of the README. They have to be alike but for times, sizes and revisions; a line `...` of a block stands for
//! any lines. `scripts/pages` has them written instead of compared.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::builder::Builder;
use super::client::Client;
use super::docker::docker;

/// As wide as a page shows its tables, and a picture its terminal.
const PAGE: u32 = 110;
const TERMINAL: u32 = 80;
/// The picture, which shows `gbsup status`.
const PICTURE: &str = "docs/status.svg";

impl Builder {
    /// Compares what the commands of a console block print here and now with what the block says.
    #[track_caller]
    pub fn shows(&self, name: &str) {
        shown_by(name, |command| {
            let words: Vec<&str> = command.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "gbsup").expect("each is a command of gbsup");
            let columns = words.contains(&"-it").then_some(PAGE);
            self.printed(&words[at..].join(" "), columns, "NO_COLOR=1 ")
        });
    }

    /// Compares the picture with `gbsup status` here and now.
    #[track_caller]
    pub fn is_the_picture(&self) {
        let path = root().join(PICTURE);
        let drawn = anstyle_svg::Term::new().render_svg(&self.printed("gbsup status", Some(TERMINAL), ""));
        let shown = fs::read_to_string(&path).unwrap_or_default();
        if !alike(&text(&shown), &text(&drawn)) {
            assert!(writes(), "{PICTURE} shows\n{}\nand real is\n{}", text(&shown), text(&drawn));
            fs::write(&path, drawn).expect("the picture can be written");
        }
    }

    /// What a command prints into a terminal that is so wide, or into a pipe; it may fail.
    #[track_caller]
    fn printed(&self, command: &str, columns: Option<u32>, environment: &str) -> String {
        let Some(columns) = columns else {
            return self.exec(&["sh", "-c", &format!("{command} 2>&1")]).out;
        };
        let script = format!("stty rows 40 cols {columns}; {environment}{command}");
        docker(&["exec", "--tty", self.name(), "sh", "-c", &script]).out.replace('\r', "")
    }
}

impl Client {
    /// Compares what the commands of a console block print on this client, which is a laptop there, with what the block
    /// says.
    #[track_caller]
    pub fn shows(&self, name: &str) {
        let host = self.sh("uname -n");
        shown_by(name, |command| {
            let printed = self.exec(&["sh", "-c", &format!("cd /root; {{ {command}; }} 2>&1")]).out;
            printed.replace(host.trim(), "laptop")
        });
    }
}

/// Compares a block with what its commands print; `run` gives that.
#[track_caller]
fn shown_by(name: &str, run: impl Fn(&str) -> String) {
    let (file, page, block) = find(name);
    let mut real = String::new();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        real += &format!("$ {command}\n{}", run(command));
    }
    if !alike(&block, &real) {
        assert!(writes(), "{}: {name} shows\n{block}\nand real is\n{real}", file.display());
        assert!(
            !block.lines().any(|line| line == "..."),
            "{name} leaves lines out: write it by hand\n{real}"
        );
        let named = |block: &str| format!("```console {name}\n{block}```");
        fs::write(&file, page.replace(&named(&block), &named(&real))).expect("the page can be written");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the pages are to be written.
fn writes() -> bool {
    env::var("GBSUP_PAGES").is_ok_and(|value| value == "write")
}

/// The page that has this block, its text, and the block.
#[track_caller]
fn find(name: &str) -> (PathBuf, String, String) {
    let docs =
        fs::read_dir(root().join("docs")).expect("there are pages").flatten().map(|entry| entry.path());
    let files = docs.chain([root().join("README.md")]).filter(|path| is_page(path));
    for file in files {
        let page = fs::read_to_string(&file).expect("it can be read");
        let block =
            page.split_once(&format!("```console {name}\n")).and_then(|(_, rest)| rest.split_once("```"));
        if let Some((block, _)) = block {
            let block = block.to_owned();
            return (file, page, block);
        }
    }
    panic!("no page has a console block {name}")
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// What is written in a picture.
fn text(picture: &str) -> String {
    let body = picture.split_once("<text").map_or("", |(_, body)| body);
    let mut text = String::new();
    for (at, part) in body.split('<').enumerate() {
        let (tag, words) = if at == 0 { ("", part) } else { part.split_once('>').unwrap_or_default() };
        if tag.starts_with("tspan x=") {
            text.push('\n');
        }
        if at > 0 {
            text += words.trim_end_matches('\n');
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Whether two outputs say the same, apart from times, sizes and revisions.
fn alike(shown: &str, real: &str) -> bool {
    let (shown, real) = (bare(shown), bare(real));
    let (shown, open) = shown.strip_suffix("\n...").map_or((shown.as_str(), false), |shown| (shown, true));
    let mut parts = shown.split("\n...\n");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = real.strip_prefix(first) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    if open { rest.is_empty() || rest.starts_with('\n') } else { rest.is_empty() }
}

const UNITS: &[&str] = &["s", "min", "h", "d", "B", "bytes", "KiB", "MiB", "GiB", "TiB"];

/// The text without what differs from one time to the next, its words one blank apart.
fn bare(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut kept: Vec<String> = Vec::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let number = word.trim_start_matches('(');
            let counts = number.parse::<f64>().is_ok();
            let next = words.get(at + 1).map(|next| next.trim_end_matches([')', ',', ';', ':']));
            if counts && next.is_some_and(|next| UNITS.contains(&next)) {
                let unit = words[at + 1];
                let end = &unit[next.map_or(0, str::len)..];
                let open = &word[..word.len() - number.len()];
                let joined = kept.last().is_some_and(|last| last == "~") && open.is_empty();
                if joined {
                    kept.pop();
                }
                kept.push(format!("{open}~{end}"));
                at += 2;
                continue;
            }
            kept.push(varying(word));
            at += 1;
        }
        // A machine that is in no hurry has its estimates in other words.
        kept.join(" ").replace(" (~ to ~)", "").replace("less than a minute", "about ~")
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// A word, without the date, the time or the revision that it is.
fn varying(word: &str) -> String {
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if word.len() >= 12 && word.chars().all(|c| c.is_ascii_hexdigit()) {
        return "~".to_owned();
    }
    if let Some(at) = shape.find("00000000-000000") {
        return format!("{}~{}", &word[..at], &word[at + 15..]);
    }
    if let Some(at) = shape.find("0000-00-00") {
        // A release is numbered within its day: past midnight, the next one is the first.
        let rest = word[at + 10..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        return format!("{}~{rest}", &word[..at]);
    }
    if let Some(at) = shape.find("00:00") {
        return format!("{}~", &word[..at]);
    }
    word.to_owned()
}

#[test]
fn only_times_sizes_and_revisions_may_differ() {
    for (shown, real) in [
        ("began 20 s ago (first)\n", "began 1 min ago (first)"),
        ("all done in about 2 h 10 min", "all done in about 3 s"),
        ("about 29 s (22 s to 43 s)", "about 3 s"),
        ("all done in about 29 s", "all done in less than a minute"),
        ("compile 2, at least 29 s:", "compile 2, at least 1 min:"),
        ("a  709 KiB to download", "a 1.2 MiB to download"),
        ("log/t:b-1:20261122-170305.log", "log/t:b-1:20261123-010203.log"),
        ("release 2026-11-22.2, 3 packages", "release 2026-11-23.1, 3 packages"),
        ("revision ead603962914", "revision 0123456789ab"),
        ("a\n...\nc\n", "a\nb\nb\nc\n"),
        ("a\n...\n", "a\nb\n"),
    ] {
        assert!(alike(shown, real), "{shown:?} {real:?}: {:?} {:?}", bare(shown), bare(real));
    }
    for (shown, real) in [
        ("5 of 6 built", "4 of 6 built"),
        ("release 2026-11-22.2 3", "release 2026-11-22.2 4"),
        ("broken-1 failed", "broken-2 failed"),
        ("a\nb", "a"),
        ("a", "a\nb"),
        ("a\n...\nc", "a\nb\n"),
        ("a\n...\nc", "a\nb\nc\nd"),
        ("a\n...", "ab\nc"),
    ] {
        assert!(!alike(shown, real), "{shown:?} {real:?}");
    }
}
