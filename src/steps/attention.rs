//! Looks for what Portage leaves for a person, and has the status tell it as long as it is so; what that is is decided by
//! [`attention`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::task::Task;
use crate::beneath::{Beneath, Kind};
use crate::host::places::{found, names};
use crate::portage::command;
use crate::portage::files::attention::{self, Attention, NEWS};
use crate::portage::files::settings::Settings;

/// Where repositories are unless repos.conf says otherwise; news of others are told by their names.
const REPOSITORIES: &str = "/var/db/repos";

/// So many entries of protected directories are looked at; one that is mounted from elsewhere may have any number.
const MOST: usize = 200_000;

/// No item of news is longer. They come from whoever syncs the repository.
const LONGEST: u64 = 1 << 20;

/// Looks at everything. Nothing here is a reason to stop.
pub(crate) fn look(task: &mut Task, settings: &Settings) {
    let attention = &settings.attention;
    task.warn("news", attention::news(&titles(Path::new(NEWS), Path::new(REPOSITORIES))));
    task.warn("configuration", attention::waiting(&waiting(attention)));
    let native = attention.native();
    let sentences: Vec<String> = native
        .iter()
        // One sentence is enough for C and its relatives.
        .filter(|(name, option)| {
            native.iter().find(|(_, other)| other == option).is_some_and(|(first, _)| first == name)
        })
        .map(|(name, option)| {
            attention::bound(name, option, resolved(task, attention, name, option).as_deref())
        })
        .collect();
    task.warn("native", (!sentences.is_empty()).then(|| sentences.join("; ")));
}

/// What an option with `native` stands for here.
fn resolved(task: &mut Task, attention: &Attention, variable: &str, option: &str) -> Option<String> {
    let command = command::native(variable, attention.compiler(), option);
    found(command.argv.first()?)
        .then(|| task.capture(&command).ok())
        .flatten()
        .and_then(|(_, text)| attention::resolved(option, &text))
}

/// The titles of the news that nobody has read; the name of one that has none here.
fn titles(unread: &Path, repositories: &Path) -> Vec<String> {
    let mut files = names(unread);
    files.sort();
    let mut titles = Vec::new();
    for file in files {
        let repository = file.strip_prefix("news-").and_then(|file| file.strip_suffix(".unread"));
        let Some(repository) = repository.filter(|name| ![".", ".."].contains(name)) else {
            continue;
        };
        let Ok(text) = Beneath::open(unread).and_then(|place| place.read(&file, LONGEST)) else { continue };
        let repository = Beneath::open(&repositories.join(repository));
        for name in attention::unread(&String::from_utf8_lossy(&text)) {
            let item = Path::new("metadata/news").join(name).join(format!("{name}.en.txt"));
            let item = repository.as_ref().ok().and_then(|place| place.read(item, LONGEST).ok());
            let item = item.unwrap_or_default();
            titles.push(attention::title(&String::from_utf8_lossy(&item)).unwrap_or(name).to_owned());
        }
    }
    titles
}

/// The protected files of which new versions wait.
fn waiting(attention: &Attention) -> Vec<PathBuf> {
    let (protect, mask) = (&attention.protect, &attention.mask);
    let mut files = BTreeSet::new();
    let mut left = MOST;
    for root in protect {
        let is_directory = root.is_dir();
        let mut directories: Vec<PathBuf> = if is_directory { vec![root.clone()] } else { Vec::new() };
        // A file may be protected alone.
        if let (false, Some(parent), Some(name)) =
            (is_directory, root.parent(), root.file_name().and_then(|name| name.to_str()))
        {
            let waits = names(parent).iter().any(|other| attention::waits_for(other) == Some(name));
            files.extend(waits.then(|| root.clone()));
        }
        while let Some(directory) = directories.pop() {
            let entries = Beneath::open(&directory).and_then(|place| place.list("."));
            let masked = attention::is_masked(&directory, protect, mask);
            for entry in entries.unwrap_or_default() {
                let Some(rest) = left.checked_sub(1) else { return files.into_iter().collect() };
                left = rest;
                // Links are not followed.
                let name = entry.path.to_str();
                if entry.kind == Kind::Directory {
                    directories.push(directory.join(&entry.path));
                } else if let (false, Some(name)) = (masked, name.and_then(attention::waits_for)) {
                    files.insert(directory.join(name));
                }
            }
        }
    }
    files.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn news_by_title_and_files_by_the_name_they_wait_for() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("news/news-gentoo.unread", "2026-05-03-binpkg\n2026-06-01-gone\n");
        write("news/news-gentoo.skip", "2025-01-01-old\n");
        // Whoever writes there gets nothing of root's shown by that, and nobody waits.
        write("secret.en.txt", "Title: shadow\n");
        write("news/news-...unread", "../../../secret\n");
        nix::unistd::mkfifo(&place.path().join("news/news-a.unread"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("../secret.en.txt", place.path().join("news/news-b.unread")).unwrap();
        write(
            "repos/gentoo/metadata/news/2026-05-03-binpkg/2026-05-03-binpkg.en.txt",
            "Title: Signed packages\n\nText\n",
        );
        let path = |name: &str| place.path().join(name);
        assert_eq!(titles(&path("news"), &path("repos")), ["Signed packages", "2026-06-01-gone"]);
        assert_eq!(titles(&path("none"), &path("repos")), [""; 0]);

        for file in [
            "etc/._cfg0000_a",
            "etc/._cfg0001_a",
            "etc/env.d/._cfg0000_b",
            "etc/d/e/._cfg0000_c",
            "etc/a",
            "opt/._cfg0000_f",
        ] {
            write(file, "");
        }
        std::os::unix::fs::symlink(path("etc"), path("etc/d/again")).unwrap();
        let attention = Attention {
            protect: vec![path("etc"), path("opt/f"), path("none")],
            mask: vec![path("etc/env.d")],
            ..Attention::default()
        };
        assert_eq!(waiting(&attention), [path("etc/a"), path("etc/d/e/c"), path("opt/f")]);
    }
}
