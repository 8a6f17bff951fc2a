//! Which state of it a repository is in.

use std::path::Path;

use crate::beneath::Beneath;

/// No file that is read here is longer: the longest has a line for each branch and tag.
const LONGEST: u64 = 16 << 20;

/// When the files of a repository were put together that is no clone (`metadata/timestamp.chk`).
pub(crate) fn timestamp(location: &Path) -> Option<String> {
    let text = Beneath::open(location).ok()?.read("metadata/timestamp.chk", LONGEST).ok()?;
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

/// The commit that is checked out, of a git repository.
pub(crate) fn head(location: &Path) -> Option<String> {
    let git = Beneath::open(&location.join(".git")).ok()?;
    // A reference is a path that somebody wrote there, and what it leads to is shown.
    let read = |name: &str| String::from_utf8(git.read(name, LONGEST).ok()?).ok();
    let head = read("HEAD")?;
    let Some(reference) = head.trim().strip_prefix("ref: ") else { return Some(head.trim().to_owned()) };
    let packed = || {
        let line = |line: &str| {
            line.split_once(' ').filter(|(_, name)| *name == reference).map(|(id, _)| id.to_owned())
        };
        read("packed-refs")?.lines().find_map(line)
    };
    read(reference).map(|id| id.trim().to_owned()).or_else(packed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_checked_out() {
        let git = tempfile::tempdir().unwrap();
        let git = git.path();
        fs::create_dir_all(git.join("refs/heads")).unwrap();
        fs::write(git.join("refs/heads/main"), "f00\n").unwrap();
        fs::create_dir_all(git.join("clone")).unwrap();
        std::os::unix::fs::symlink("..", git.join("clone/.git")).unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(head(&git.join("clone")).as_deref(), Some("f00"));
        fs::remove_file(git.join("refs/heads/main")).unwrap();
        fs::write(git.join("packed-refs"), "# pack-refs with: peeled\nba5 refs/heads/main\n").unwrap();
        assert_eq!(head(&git.join("clone")).as_deref(), Some("ba5"));
        // What it is is shown, and whoever syncs the repository may have written it.
        for reference in ["../../../../../../etc/passwd", "/etc/passwd", "refs/heads/link"] {
            drop(std::os::unix::fs::symlink("/etc/passwd", git.join("refs/heads/link")));
            fs::write(git.join("HEAD"), format!("ref: {reference}\n")).unwrap();
            assert_eq!(head(&git.join("clone")), None, "{reference}");
        }
    }
}
