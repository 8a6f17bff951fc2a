//! What is wrong with the configuration and Portage passes over without a word, or tells only when it comes to a package.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{Ask, DEEPEST, ETC, KEYS, SETS_CONF, files, read};
use crate::host::places::names;
use crate::model::failure::Trouble;
use crate::portage::command;
use crate::portage::files::shlex;
use crate::portage::output::complaints::{self, Complaint, Weight};

/// Its directory of files for single packages.
const ENV: &str = "env";
/// Links of these may lead nowhere: another check has the profile, a builder takes no packages from elsewhere, and the others
/// belong to GnuPG and to single packages.
const LEFT_ALONE: [&str; 4] = ["make.profile", "binrepos.conf", KEYS, "savedconfig"];

/// Portage passes over a link that leads nowhere, and says nothing: what it should lead to is not in force.
pub(super) fn dead_links(etc: &Path) -> Vec<Complaint> {
    let mut told = Vec::new();
    let mut todo: Vec<(PathBuf, usize)> = vec![(etc.to_path_buf(), 0)];
    while let Some((directory, depth)) = todo.pop() {
        let mut below = names(&directory);
        below.retain(|name| {
            let is_alone = depth == 0 && LEFT_ALONE.contains(&name.as_str());
            !(is_alone || name.starts_with('.') || name.ends_with('~'))
        });
        below.sort_unstable();
        for path in below.into_iter().map(|name| directory.join(name)) {
            match (fs::metadata(&path), fs::read_link(&path)) {
                (Err(_), Ok(target)) => {
                    let words = format!("it is a link to {}, which is not there", target.display());
                    let file = Some(path.display().to_string());
                    told.push(Complaint { weight: Weight::Broken, file, line: None, item: None, words });
                }
                (Ok(meta), _) if meta.is_dir() && depth < DEEPEST => todo.push((path, depth + 1)),
                _ => {}
            }
        }
    }
    told
}

/// Files that package.env names: Portage reads them, and tells, only when it comes to the package.
pub(super) fn env_files() -> Vec<Complaint> {
    let mut told = Vec::new();
    for file in files(&Path::new(ETC).join("package.env")) {
        for (line, name) in read(&file).map(|text| complaints::after_atoms(&text)).unwrap_or_default() {
            let env = Path::new(ETC).join(ENV).join(&name);
            let Some(text) = read(&env) else {
                let words = format!("it references the non-existent file {}", env.display());
                told.push(complaint(&file, line, words));
                continue;
            };
            let is_there = |sourced: &str| env.with_file_name(sourced).exists();
            told.extend(shlex::mistake(&text, is_there).map(|(line, words)| complaint(&env, line, words)));
        }
    }
    told
}

/// What bash reads in each phase: `bashrc`, and the files of `env` that belong to a package by their place (portage(5)). A syntax
/// error in one fails whatever is built.
pub(super) fn scripts(container: &mut dyn Ask) -> Result<Vec<Complaint>, Trouble> {
    let etc = Path::new(ETC);
    let env = etc.join(ENV);
    let is_dir = |path: &PathBuf| path.is_dir();
    let of_packages = names(&env).into_iter().map(|category| env.join(category)).filter(is_dir);
    let mut scripts: Vec<PathBuf> = of_packages.flat_map(|category| files(&category)).collect();
    scripts.extend(files(&etc.join("bashrc")));
    // What package.env names is read by other rules.
    let named = files(&etc.join("package.env"));
    let named = named.iter().flat_map(|file| complaints::after_atoms(&read(file).unwrap_or_default()));
    let named: HashSet<PathBuf> = named.map(|(_, name)| env.join(name)).collect();
    scripts.retain(|script| !named.contains(script));
    if scripts.is_empty() {
        return Ok(Vec::new());
    }
    Ok(complaints::of_bash(&container.ask(&command::check_scripts(&scripts))?))
}

/// Words of files for single packages that Portage does nothing with, and does not tell.
pub(super) fn words() -> Vec<Complaint> {
    let mut told = Vec::new();
    for (name, kind, is_one) in [
        ("package.use", "not a USE flag", complaints::is_flag as fn(&str) -> bool),
        ("package.accept_keywords", "not a keyword", complaints::is_keyword),
    ] {
        for file in files(&Path::new(ETC).join(name)) {
            let odd = read(&file).map(|text| complaints::odd_words(&text, is_one)).unwrap_or_default();
            told.extend(odd.into_iter().map(|(line, word)| {
                let words = format!("{word} is {kind} and does nothing");
                Complaint { weight: Weight::Minor, ..complaint(&file, line, words) }
            }));
        }
    }
    told
}

/// Sets whose file or directory is not there: to Portage they are empty.
pub(super) fn sets() -> Vec<Complaint> {
    let of_file = |file: PathBuf| {
        let text = read(&file).unwrap_or_default();
        let gone = complaints::files_of_sets(&text).into_iter().filter(|(_, path)| !Path::new(path).exists());
        let told = gone.map(|(line, path)| {
            let words = format!("{path} is not there, so a set is empty");
            Complaint { weight: Weight::Minor, ..complaint(&file, line, words) }
        });
        told.collect::<Vec<_>>()
    };
    files(&Path::new(ETC).join(SETS_CONF)).into_iter().flat_map(of_file).collect()
}

pub(super) fn complaint(file: &Path, line: usize, words: String) -> Complaint {
    let file = Some(file.display().to_string());
    Complaint { weight: Weight::Broken, file, line: Some(line), item: None, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::create_dir_all(root.join("package.use/more")).unwrap();
        fs::write(root.join("make.conf"), "").unwrap();
        for (link, target) in [
            ("make.profile", "/nope"),
            ("bashrc", "/nope"),
            ("repos.conf", "make.conf"),
            ("package.use/more/a", "nope"),
            ("package.use/.b", "nope"),
            ("package.use/up", ".."),
            ("package.use/itself", "itself"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let mut told: Vec<_> = dead_links(root).iter().map(Complaint::sentence).collect();
        told.sort_by_key(String::len);
        told.dedup_by_key(|told| told.rsplit_once('/').map(|(_, last)| last.to_owned()));
        let root = root.display();
        assert_eq!(told[0], format!("{root}/bashrc: it is a link to /nope, which is not there"));
        let itself = format!("{root}/package.use/itself: it is a link to itself, which is not there");
        assert!(told.contains(&itself) && told.len() < 30, "{told:#?}");
    }
}
