//! What is in an object.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::id::{Id, Kind};

/// Bytes of a commit; a signature has some hundred.
const LONGEST_COMMIT: u64 = 1 << 20;

/// What a name in a tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A file.
    File,
    /// One that can be run.
    Executable,
    /// A symbolic link.
    Link,
    /// Another tree.
    Tree,
}

impl Mode {
    fn of_word(word: &[u8]) -> Option<Self> {
        let all = [Self::File, Self::Executable, Self::Link, Self::Tree];
        all.into_iter().find(|mode| mode.word().as_bytes() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Tree => "40000",
        }
    }
}

/// A name in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it stands for.
    pub mode: Mode,
    /// Without a slash or a NUL in it.
    pub name: Vec<u8>,
    /// The object.
    pub id: Id,
}

/// The content of a tree. It is in git's order: that of the names, a directory as if it had a slash behind it.
pub(crate) fn tree(mut entries: Vec<Entry>) -> Vec<u8> {
    let key = |entry: &Entry| {
        let mut name = entry.name.clone();
        if entry.mode == Mode::Tree {
            name.push(b'/');
        }
        name
    };
    entries.sort_by_cached_key(key);
    let mut content = Vec::new();
    for entry in entries {
        content.extend_from_slice(entry.mode.word().as_bytes());
        content.push(b' ');
        content.extend_from_slice(&entry.name);
        content.push(0);
        content.extend_from_slice(&entry.id.0);
    }
    content
}

/// What is in a tree as [`tree`] makes it; nothing when it is damaged.
pub(crate) fn tree_entries(mut content: &[u8]) -> Option<Vec<Entry>> {
    let mut found = Vec::new();
    while !content.is_empty() {
        let end = content.iter().position(|byte| *byte == 0)?;
        let (head, rest) = content.split_at(end);
        let (id, rest) = rest.get(1..)?.split_first_chunk::<20>()?;
        let space = head.iter().position(|byte| *byte == b' ')?;
        let mode = Mode::of_word(&head[..space])?;
        found.push(Entry { mode, name: head[space + 1..].to_vec(), id: Id(*id) });
        content = rest;
    }
    Some(found)
}

/// A commit.
#[derive(Clone, Debug)]
pub(crate) struct Commit<'a> {
    /// What it is of.
    pub tree: Id,
    /// The one before it.
    pub parent: Option<Id>,
    /// Seconds since 1970.
    pub time: i64,
    /// What it says.
    pub message: &'a str,
}

impl Commit<'_> {
    /// Its content, which is also what is signed.
    pub(crate) fn content(&self) -> String {
        let parent = self.parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
        let who = format!("gbsup <gbsup@localhost> {} +0000", self.time);
        let Self { tree, message, .. } = self;
        format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}\n")
    }

    /// The same with a detached signature of that, in ASCII armour.
    pub(crate) fn signed(&self, signature: &str) -> String {
        let content = self.content();
        let (head, message) = content.split_once("\n\n").unwrap_or((&content, ""));
        let signature = signature.trim_end().replace('\n', "\n ");
        format!("{head}\ngpgsig {signature}\n\n{message}")
    }

    /// The one before a commit with this content.
    pub(crate) fn parent_of(content: &[u8]) -> Option<Id> {
        let text = String::from_utf8_lossy(content);
        let head = text.split("\n\n").next()?;
        head.lines().find_map(|line| line.strip_prefix("parent "))?.parse().ok()
    }
}

/// An object as a file of its own.
pub(crate) fn loose(kind: Kind, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    write!(packed, "{} {}\0", kind.word(), content.len())?;
    packed.write_all(content)?;
    packed.finish()
}

/// The content of a commit that is a file of its own.
pub(crate) fn loose_commit(file: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    ZlibDecoder::new(file).take(LONGEST_COMMIT).read_to_end(&mut content).ok()?;
    let end = content.iter().position(|byte| *byte == 0)?;
    let content = content.split_off(end + 1);
    content.starts_with(b"tree ").then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_in_the_order_of_git() {
        let id = Id::of(Kind::Blob, b"");
        let entry = |mode, name: &str| Entry { mode, name: name.into(), id };
        let names = ["a", "a.b", "a0", "b"];
        // `a/` comes behind `a.b`, and before `a0`.
        let entries = vec![
            entry(Mode::File, names[2]),
            entry(Mode::Tree, names[0]),
            entry(Mode::Link, names[3]),
            entry(Mode::Executable, names[1]),
        ];
        let content = tree(entries);
        let order: Vec<usize> = ["100755 a.b\0", "40000 a\0", "100644 a0\0", "120000 b\0"]
            .iter()
            .map(|head| content.windows(head.len()).position(|at| at == head.as_bytes()).unwrap())
            .collect();
        assert!(order.is_sorted(), "{order:?}");
        let modes: Vec<Mode> = tree_entries(&content).unwrap().iter().map(|entry| entry.mode).collect();
        assert_eq!(modes, [Mode::Executable, Mode::Tree, Mode::File, Mode::Link]);
        assert_eq!(tree_entries(&content).map(tree), Some(content.clone()));
        assert_eq!(tree_entries(&content[..content.len() - 1]), None);
        assert_eq!(tree_entries(b"100644 a"), None);
    }

    #[test]
    fn a_signature_is_a_part_of_the_head() {
        let tree = Id::of(Kind::Tree, b"");
        let parent = Id::of(Kind::Commit, b"");
        let commit =
            Commit { tree, parent: Some(parent), time: 1_700_000_000, message: "release 2026-11-22.1" };
        let signed = commit.signed("-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n");
        let expected = format!(
            "tree {tree}\nparent {parent}\nauthor gbsup <gbsup@localhost> 1700000000 +0000\ncommitter gbsup \
             <gbsup@localhost> 1700000000 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP \
             SIGNATURE-----\n\nrelease 2026-11-22.1\n"
        );
        assert_eq!(signed, expected);
        assert_eq!(Commit::parent_of(signed.as_bytes()), Some(parent));
        let first = Commit { parent: None, message: "parent of all", ..commit };
        assert_eq!(Commit::parent_of(first.content().as_bytes()), None);
    }
}
