//! What lies below a release, and what does not exist.

use maud::{Markup, html};

use super::Page;
use super::parts::{coded, text};
use crate::model::status::size;

/// A path as a reference relative to the page.
pub(super) fn reference(path: &str) -> String {
    format!("./{}", coded(path))
}

pub(super) fn link(path: &str) -> Markup {
    html! { a href=(reference(path)) { (text(path)) } }
}

/// A directory below a release: directories have a slash behind them, files their size in bytes.
#[must_use]
pub fn directory(path: &str, entries: &[(String, Option<u64>)]) -> Page {
    let list = html! {
        h1 { (text(path)) }
        table {
            thead { tr { th scope="col" { "name" } th.n scope="col" { "size" } } }
            tbody {
                tr { td { a href="../" { "../" } } td {} }
                @for (name, bytes) in entries {
                    tr { td.p { (link(name)) } td.n { @if let Some(bytes) = bytes { (size(*bytes)) } } }
                }
            }
        }
    };
    Page { title: path.to_owned(), below: "/releases/", parts: vec![("list", list)], ..Page::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::html::{Frame, document};

    #[test]
    fn nothing_that_a_name_says_becomes_markup() {
        let entries = [("<script>\"&'".to_owned(), Some(1)), ("a b%?#:+/".to_owned(), None)];
        let page = document(&directory("<x>", &entries), Frame { name: "<y>", farm: false });
        assert!(!page.contains("<script>") && !page.contains("<x>") && !page.contains("<y>"), "{page}");
        assert!(page.contains("href=\"./%3Cscript%3E%22%26%27\">&lt;script&gt;&quot;&amp;'</a>"), "{page}");
        assert!(page.contains("href=\"./a%20b%25%3F%23%3A+/\""), "{page}");
    }
}
