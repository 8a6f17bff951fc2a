//! Pages for people: what a release has, what a directory has, which releases there are. Pure.

use std::fmt::Write;

use crate::model::offer::Held;
use crate::model::release::{Id, Release};
use crate::model::status::size;

/// How they look.
pub(super) const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color-scheme:light dark}\
table{border-collapse:collapse}td,th{padding:.1em 1.5em .1em 0;text-align:left;vertical-align:top}\
td.n,th.n{text-align:right;white-space:nowrap}";

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A path as a reference relative to the page: what means something in a URL, coded.
fn reference(path: &str) -> String {
    let mut reference = String::from("./");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+@".contains(&byte) {
            reference.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(reference, "%{byte:02X}");
        }
    }
    reference
}

fn link(path: &str) -> String {
    format!("<a href=\"{}\">{}</a>", reference(path), escape(path))
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\
         <body>\n<h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// A release: what it is, its packages, and what is held back.
pub(super) fn release(release: &Release, files: &[(String, Option<u64>)]) -> String {
    let count = match release.packages.len() {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    };
    let mut body = format!(
        "<p>{count}, {}, published {}.</p>\n",
        size(release.size()),
        release.published.strftime("%Y-%m-%d %H:%M UTC")
    );
    body.push_str("<p>");
    for (name, size) in files {
        if size.is_some() {
            body += &link(name);
            body.push(' ');
        }
    }
    body.push_str("</p>\n<table>\n<tr><th>package</th><th>slot</th><th class=\"n\">size</th></tr>\n");
    for package in &release.packages {
        let why = package.why.as_deref().unwrap_or_default();
        body += &format!(
            "<tr title=\"{}\"><td><a href=\"{}\">{}</a></td><td>{}</td><td class=\"n\">{}</td></tr>\n",
            escape(why),
            reference(&package.path),
            escape(&package.cpv.to_string()),
            escape(&package.slot),
            size(package.size)
        );
    }
    body.push_str("</table>\n");
    body += &held(&release.held);
    page(&format!("Release {}", release.id), &body)
}

fn held(held: &[Held]) -> String {
    if held.is_empty() {
        return String::new();
    }
    let mut body = String::from("<h2>Held back</h2>\n<ul>\n");
    for held in held {
        body += &format!("<li>{} {}</li>\n", escape(&held.cpv.to_string()), escape(&held.what));
    }
    body + "</ul>\n"
}

/// A directory below a release.
pub(super) fn directory(path: &str, entries: &[(String, Option<u64>)]) -> String {
    let mut body = String::from("<table>\n<tr><td><a href=\"../\">../</a></td><td></td></tr>\n");
    for (name, bytes) in entries {
        let bytes = bytes.map(size).unwrap_or_default();
        body += &format!("<tr><td>{}</td><td class=\"n\">{bytes}</td></tr>\n", link(name));
    }
    page(path, &(body + "</table>\n"))
}

/// The releases, the newest first.
pub(super) fn releases(ids: &[Id], current: Option<Id>) -> String {
    let mut body = String::from(
        "<p>Clients use <a href=\"../binpkgs/\">../binpkgs/</a>, always the current one.</p>\n<ul>\n",
    );
    for id in ids {
        let note = if Some(*id) == current { ", current" } else { "" };
        body += &format!("<li>{}{note}</li>\n", link(&format!("{id}/")));
    }
    page("Releases", &(body + "</ul>\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_name_says_becomes_markup() {
        let entries = [("<script>\"&'".to_owned(), Some(1)), ("a b%?#:+/".to_owned(), None)];
        let page = directory("<x>", &entries);
        assert!(!page.contains("<script>") && !page.contains("<x>"), "{page}");
        assert!(
            page.contains("href=\"./%3Cscript%3E%22%26%27\">&lt;script&gt;&quot;&amp;&#39;</a>"),
            "{page}"
        );
        assert!(page.contains("href=\"./a%20b%25%3F%23%3A+/\""), "{page}");
    }

    #[test]
    fn the_current_release_is_marked() {
        let ids = ["2026-11-22.2", "2026-11-22.1"].map(|id| id.parse().unwrap());
        let page = releases(&ids, Some(ids[0]));
        assert!(page.contains("2026-11-22.2/</a>, current</li>"), "{page}");
        assert!(page.contains("2026-11-22.1/</a></li>"), "{page}");
    }
}
