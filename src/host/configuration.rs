//! Whether Portage can work with its configuration, asked before anything is synced or built.
//!
//! What is wrong is decided by [`complaints`] and [`make_conf`]; here is the asking and the looking.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, fstatvfs, statvfs};

use super::build::cpus;
use super::places::{found, names};
use crate::beneath::Beneath;
use crate::config::Config;
use crate::decide::classify::PROFILE_COMMANDS;
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::{self, Command, shell_quote};
use crate::portage::files::make_conf::{self, Deed, Finding, Machine};
use crate::portage::files::settings::{self, Settings};
use crate::portage::files::shlex;
use crate::portage::files::world::{self, Place};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::complaints::{self, Complaint, Weight, assignment};

const ETC: &str = "/etc/portage";
/// The files that Portage reads as make.conf, in this order (`portage/package/ebuild/config.py`).
const MAKE_CONF: [&str; 2] = ["/etc/make.conf", "/etc/portage/make.conf"];
/// Its directory of files for single packages.
const ENV: &str = "env";
/// Its directory of keys, which GnuPG writes to whenever it is asked, and which decides about no setting.
const KEYS: &str = "gnupg";
/// What else decides about a variable, or about where repositories are.
const ELSEWHERE: [&str; 4] = [
    "/etc/make.conf",
    "/etc/profile.env",
    "/usr/share/portage/config/make.globals",
    "/usr/share/portage/config/repos.conf",
];
/// What a person wants to have, and which sets (portage(5)).
const WORLD: &str = "/var/lib/portage/world";
const WORLD_SETS: &str = "/var/lib/portage/world_sets";
/// How sets are made, where a person wants it otherwise; and what Portage's database of ebuilds is made of.
const SETS_CONF: &str = "sets.conf";
const MODULES: &str = "modules";
/// Links of these may lead nowhere: another check has the profile, and the others belong to GnuPG and to single packages.
const LEFT_ALONE: [&str; 3] = ["make.profile", KEYS, "savedconfig"];
/// The directory of PORTAGE_TMPDIR in which packages are built.
const BUILDS: &str = "portage";
/// Deeper than any configuration: a link may lead into itself.
const DEEPEST: usize = 8;
/// Longer than any file of a configuration.
const LONGEST: u64 = 4 << 20;

/// What Portage is told, once nothing is wrong with it.
pub(crate) struct Checked {
    pub settings: Settings,
    /// What a person should know of them.
    pub told: Vec<String>,
    /// The Portage that an update would install.
    pub portage: Option<Cpv>,
}

/// The settings, and what a person should know of them. `ask` runs a command for its answer; without all of the tree
/// nothing is said of what may be in it.
///
/// # Errors
/// What has to be put right first. What is only so because a repository is not there yet is none.
pub(crate) fn check(
    config: &Config,
    tree_is_there: bool,
    mut ask: impl FnMut(&Command) -> Result<Vec<u8>, Trouble>,
) -> Result<Checked, Trouble> {
    let text = ask(&command::envvar(&settings::keys()))?;
    let mut told = complaints::read(&text);
    // What decides about single packages is read only when a package is looked at.
    let available = ask(&command::portage_available())?;
    told.extend(complaints::read(&available));
    told.extend(dead_links(Path::new(ETC)));
    told.extend(complaints::exception(&available).map(of_modules));
    told.extend(env_files());
    told.extend(scripts(&mut ask)?);
    refuse(&told)?;
    let settings = understood(&text)?;
    if tree_is_there {
        profile(&told)?;
        wanted(config, &mut ask)?;
    }
    build_directory(&settings)?;
    own_key(&settings, &mut ask)?;
    let machine = Machine { found: &found, cpus: cpus() };
    let findings = make_conf::judge(&settings, &machine);
    let files = make_conf_files();
    if let Some(first) = findings.iter().find(|finding| finding.deed == Deed::Stop) {
        let mut failure = Failure::new(Class::Config, located(first, &files));
        failure.evidence = findings.iter().map(|finding| located(finding, &files)).collect();
        failure.suggestions.clone_from(&first.suggestions);
        if first.suggestions.is_empty()
            && let Some((file, line)) = assignment(&files, first.variable, &first.words)
        {
            failure.suggestions = vec![format!("sed -n {line}p {}", shell_quote(file))];
        }
        return Err(Box::new(failure));
    }
    let mut sentences: Vec<String> =
        told.iter().filter(|told| told.weight == Weight::Minor).map(Complaint::sentence).collect();
    sentences.extend(findings.iter().map(|finding| located(finding, &files)));
    sentences.dedup();
    Ok(Checked { settings, told: sentences, portage: command::visible(&available) })
}

/// The settings, from what `portageq envvar` printed.
///
/// # Errors
/// When Portage could not read some file: what it answers then is not what the files say.
pub(crate) fn understood(text: &[u8]) -> Result<Settings, Trouble> {
    refuse(&complaints::read(text))?;
    if !complaints::is_answer(text) {
        let lines: Vec<_> = String::from_utf8_lossy(text).lines().map(str::to_owned).collect();
        let last = lines.iter().rev().find(|line| !line.trim().is_empty()).cloned().unwrap_or_default();
        let mut failure =
            Failure::new(Class::Config, format!("Portage does not come up with its settings: {last}"));
        failure.evidence = lines[lines.len().saturating_sub(15)..].to_vec();
        failure.suggestions = vec!["portageq envvar -v FEATURES".to_owned()];
        return Err(Box::new(failure));
    }
    Ok(Settings::parse(text))
}

/// Stands for everything in this container that settings are made of, but for the profile; another one, and they may
/// be others.
pub(crate) fn stamp() -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut files = files(Path::new(ETC));
    files.retain(|file| !file.starts_with(Path::new(ETC).join(KEYS)));
    files.extend(ELSEWHERE.map(PathBuf::from));
    for file in files {
        // Each merge writes some of them anew as they were.
        (read(&file), file).hash(&mut hasher);
    }
    fs::read_link("/etc/portage/make.profile").ok().hash(&mut hasher);
    hasher.finish()
}

// --- What Portage says ----------------------------------------------------------------------------

/// A file of the tree is repaired by a sync, and Portage says in the plan what it makes of it.
fn refuse(told: &[Complaint]) -> Result<(), Trouble> {
    let of_tree = |file: &str| !file.starts_with("/etc/") && file.contains("/profiles/");
    let counts =
        |told: &&Complaint| told.weight == Weight::Broken && !told.file.as_deref().is_some_and(of_tree);
    let mut kept: Vec<Complaint> = Vec::new();
    for complaint in told.iter().filter(counts).cloned().map(located_in_file) {
        // Each command reads make.conf.
        if !kept.contains(&complaint) {
            kept.push(complaint);
        }
    }
    let told = kept;
    let Some(first) = told.first() else { return Ok(()) };
    let more = match told.len() {
        1 => String::new(),
        2 => ", and 1 more".to_owned(),
        more => format!(", and {} more", more - 1),
    };
    let message = format!("Portage cannot read its configuration: {}{more}", first.sentence());
    let mut suggestions = Vec::new();
    for (file, line) in told.iter().filter_map(|told| Some((told.file.as_ref()?, told.line))) {
        let quoted = shell_quote(file);
        let show = match line {
            Some(line) if Path::new(file).is_file() => format!("sed -n {line}p {quoted}"),
            None if Path::new(file).is_symlink() => format!("ls -l {quoted}"),
            _ => continue,
        };
        if !suggestions.contains(&show) {
            suggestions.push(show);
        }
    }
    if suggestions.is_empty() {
        suggestions.push("portageq envvar -v FEATURES".to_owned());
    }
    let evidence = told.iter().map(Complaint::sentence).collect();
    Err(Box::new(Failure { evidence, suggestions, ..Failure::new(Class::Config, message) }))
}

/// With the line, and where the file is a directory, with the file in it.
fn located_in_file(mut told: Complaint) -> Complaint {
    let all = told.file.as_ref().map(|file| files(Path::new(file))).unwrap_or_default();
    for file in all {
        if read(&file).is_some_and(|text| told.locate(&text)) {
            told.file = Some(file.display().to_string());
            break;
        }
    }
    told
}

/// What stands in `modules` is imported, and Portage ends with an exception where that is not there.
fn of_modules(mut told: Complaint) -> Complaint {
    let file = Path::new(ETC).join(MODULES);
    let text = read(&file).unwrap_or_default();
    let is_named = |line: &str| {
        let value = line.split_once('=').map(|(_, value)| value.trim());
        value
            .and_then(|value| Some(value.rsplit_once('.')?.0))
            .is_some_and(|module| told.words.contains(module))
    };
    if let Some(at) = text.lines().position(is_named) {
        told.file = Some(file.display().to_string());
        told.line = Some(at + 1);
    }
    told
}

/// Portage passes over a link that leads nowhere, and says nothing: what it should lead to is not in force.
fn dead_links(etc: &Path) -> Vec<Complaint> {
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

fn profile(told: &[Complaint]) -> Result<(), Trouble> {
    let Some(told) = told.iter().find(|told| told.weight == Weight::Profile) else { return Ok(()) };
    let suggestions = PROFILE_COMMANDS.map(str::to_owned).to_vec();
    let evidence = vec![told.sentence()];
    Err(Box::new(Failure {
        evidence,
        suggestions,
        ..Failure::new(Class::ProfileInvalid, told.words.clone())
    }))
}

/// What is asked for and is nothing that Portage knows: it refuses the whole world for a set that does not exist, and passes over
/// in silence what is no atom.
fn wanted(
    config: &Config,
    ask: &mut impl FnMut(&Command) -> Result<Vec<u8>, Trouble>,
) -> Result<(), Trouble> {
    let wanted = world::wanted(Path::new(WORLD), Path::new(WORLD_SETS), &config.build.targets, read);
    let neither = |(place, word): (Place, String)| {
        let words = format!("it is neither an atom nor a set, and Portage passes it over: {word}");
        complaint(&place.file, place.line, words)
    };
    refuse(&wanted.unread.into_iter().map(neither).collect::<Vec<_>>())?;
    let of_config =
        |name: &String| name.starts_with('@') && !Path::new(world::SETS).join(&name[1..]).is_file();
    let of_config = config.build.targets.iter().filter(|name| of_config(name)).cloned();
    let names: Vec<String> =
        wanted.sets.iter().map(|(_, name)| format!("@{name}")).chain(of_config).collect();
    let is_usual = |name: &String| matches!(name.as_str(), "@world" | "@system" | "@selected");
    if names.iter().all(is_usual) && !Path::new(ETC).join(SETS_CONF).exists() {
        return Ok(());
    }
    let known = ask(&command::list_sets())?;
    refuse(complaints::exception(&known).as_slice())?;
    let unknown = complaints::unknown_sets(&names, &known);
    let Some(name) = unknown.first() else { return Ok(()) };
    let (message, suggestion) = match wanted.sets.iter().find(|(_, of_world)| of_world == name) {
        Some((Place { file, line }, _)) => {
            let file = file.display().to_string();
            let repair = match file.as_str() {
                WORLD_SETS => format!("emerge --deselect {}", shell_quote(&format!("@{name}"))),
                _ => format!("sed -n {line}p {}", shell_quote(&file)),
            };
            (format!("{file}, line {line}: it has @{name}, and there is no such set"), repair)
        }
        None => {
            (format!("[build] targets has @{name}, and there is no such set"), "gbsup config show".to_owned())
        }
    };
    let evidence = unknown.iter().map(|name| format!("there is no set @{name}")).collect();
    let suggestions = vec![suggestion, "emerge --list-sets".to_owned()];
    Err(Box::new(Failure { evidence, suggestions, ..Failure::new(Class::Config, message) }))
}

/// Files that package.env names: Portage reads them, and tells, only when it comes to the package.
fn env_files() -> Vec<Complaint> {
    let mut told = Vec::new();
    for file in files(&Path::new(ETC).join("package.env")) {
        for (line, name) in read(&file).map(|text| complaints::env_files(&text)).unwrap_or_default() {
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
fn scripts(ask: &mut impl FnMut(&Command) -> Result<Vec<u8>, Trouble>) -> Result<Vec<Complaint>, Trouble> {
    let etc = Path::new(ETC);
    let env = etc.join(ENV);
    let is_dir = |path: &PathBuf| path.is_dir();
    let of_packages = names(&env).into_iter().map(|category| env.join(category)).filter(is_dir);
    let mut scripts: Vec<PathBuf> = of_packages.flat_map(|category| files(&category)).collect();
    scripts.extend(files(&etc.join("bashrc")));
    // What package.env names is read by other rules.
    let named = files(&etc.join("package.env"));
    let named = named.iter().flat_map(|file| complaints::env_files(&read(file).unwrap_or_default()));
    let named: HashSet<PathBuf> = named.map(|(_, name)| env.join(name)).collect();
    scripts.retain(|script| !named.contains(script));
    if scripts.is_empty() {
        return Ok(Vec::new());
    }
    Ok(complaints::of_bash(&ask(&command::check_scripts(&scripts))?))
}

fn complaint(file: &Path, line: usize, words: String) -> Complaint {
    let file = Some(file.display().to_string());
    Complaint { weight: Weight::Broken, file, line: Some(line), item: None, words }
}

// --- What can be seen -----------------------------------------------------------------------------

/// Whether packages can be built in PORTAGE_TMPDIR, as `portage/package/ebuild/doebuild.py:_check_temp_dir` does it.
fn build_directory(settings: &Settings) -> Result<(), Trouble> {
    let fails = |message: String, suggestion: String| {
        let evidence = vec![format!("PORTAGE_TMPDIR={}", settings.tmpdir.display())];
        Err(Box::new(Failure {
            evidence,
            suggestions: vec![suggestion],
            ..Failure::new(Class::Config, message)
        }))
    };
    let place = settings.tmpdir.display();
    if !settings.tmpdir.is_dir() {
        let files = make_conf_files();
        let set = assignment(&files, "PORTAGE_TMPDIR", "");
        let set = set.map(|(file, line)| format!(" ({file}, line {line})")).unwrap_or_default();
        let message =
            format!("PORTAGE_TMPDIR is {place}, which is not a directory{set}: nothing can be built");
        return fails(message, format!("mkdir -p {}", shell_quote(&place.to_string())));
    }
    // A link that somebody planted below it says nothing of where builds take place.
    let below = Beneath::open(&settings.tmpdir).ok().and_then(|place| {
        let flags = fstatvfs(place.any(BUILDS).ok()?).ok()?.flags();
        Some((place.path().join(BUILDS), flags))
    });
    let itself = || Some((settings.tmpdir.clone(), statvfs(&settings.tmpdir).ok()?.flags()));
    let Some((directory, flags)) = below.or_else(itself) else { return Ok(()) };
    let look = format!("findmnt --target {}", shell_quote(&directory.display().to_string()));
    let shown = directory.display();
    if flags.contains(FsFlags::ST_NOEXEC) {
        let message = format!(
            "{shown} is mounted noexec, and builds have to execute files in it: give the container \
             --tmpfs {shown}:exec,mode=1777 (docker run), or a volume there"
        );
        return fails(message, look);
    }
    if flags.contains(FsFlags::ST_RDONLY) {
        let message = format!(
            "{shown} is mounted read-only, and builds take place in it: give the container \
             --tmpfs {shown}:exec,mode=1777 (docker run), or a volume there"
        );
        return fails(message, look);
    }
    Ok(())
}

/// The key with which Portage is to sign what it builds.
fn own_key(
    settings: &Settings,
    ask: &mut impl FnMut(&Command) -> Result<Vec<u8>, Trouble>,
) -> Result<(), Trouble> {
    let Some(own) = &settings.signatures.own else { return Ok(()) };
    let command = command::secret_key(&own.home, &own.key);
    let text = ask(&command)?;
    if String::from_utf8_lossy(&text).lines().any(|line| line.starts_with("sec:")) {
        return Ok(());
    }
    let message = format!(
        "Portage is to sign what it builds (FEATURES=binpkg-signing), and the secret key {} is not in {}",
        own.key,
        own.home.display()
    );
    let evidence = String::from_utf8_lossy(&text).lines().take(15).map(str::to_owned).collect();
    Err(Box::new(Failure {
        evidence,
        suggestions: vec![command.typed()],
        ..Failure::new(Class::Config, message)
    }))
}

/// A finding, with the place where it can be changed.
fn located(finding: &Finding, files: &[(String, String)]) -> String {
    match assignment(files, finding.variable, &finding.words) {
        Some((file, line)) => format!("{file}, line {line}: {}", finding.words),
        None => finding.words.clone(),
    }
}

fn make_conf_files() -> Vec<(String, String)> {
    let all = MAKE_CONF.iter().flat_map(|path| files(Path::new(path)));
    all.filter_map(|path| Some((path.display().to_string(), read(&path)?))).collect()
}

/// The files of a setting that may be a directory, in Portage's order (`portage.util:_recursive_file_list`).
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![(root.to_path_buf(), 0)];
    while let Some((path, depth)) = todo.pop() {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_file() {
            found.push(path);
        } else if meta.is_dir() && depth < DEEPEST {
            let mut below = names(&path);
            below.retain(|name| !name.starts_with('.') && !name.ends_with('~'));
            below.sort_unstable_by(|a, b| b.cmp(a));
            todo.extend(below.into_iter().map(|name| (path.join(name), depth + 1)));
        }
    }
    found
}

fn read(path: &Path) -> Option<String> {
    fs::metadata(path).ok().filter(|meta| meta.is_file() && meta.len() <= LONGEST)?;
    fs::read(path).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_in_which_portage_reads_them() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::create_dir(root.join("20-more")).unwrap();
        for name in ["30-last", "10-first", ".hidden", "old~", "20-more/b", "20-more/a"] {
            fs::write(root.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("20-more/c")).unwrap();
        let found = files(root);
        let found: Vec<_> = found.iter().filter_map(|file| file.strip_prefix(root).ok()?.to_str()).collect();
        assert_eq!(found[..3], ["10-first", "20-more/a", "20-more/b"]);
        assert_eq!(*found.last().unwrap(), "30-last");
        assert!(found.len() < 100, "a link into itself has an end");
        assert_eq!(files(&root.join("10-first")).len(), 1);
    }

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

    #[test]
    fn a_half_answer_counts_for_nothing() {
        let text =
            b"\"/etc/portage/make.conf\", line 6: /nope: No such file or directory\nFEATURES=sandbox\n";
        let failure = understood(text).unwrap_err();
        assert_eq!(failure.class, Class::Config);
        assert_eq!(
            failure.message,
            "Portage cannot read its configuration: /etc/portage/make.conf, line 6: /nope: No such file or directory"
        );
        let traceback =
            b"Traceback (most recent call last):\n  File \"x\"\nValueError: No closing quotation\n";
        let failure = understood(traceback).unwrap_err();
        assert!(failure.message.ends_with("ValueError: No closing quotation"), "{}", failure.message);
        let of_tree = b"--- Invalid atom in /var/db/repos/x/profiles/package.mask: a//b\nFEATURES=sandbox\n";
        assert!(understood(of_tree).is_ok(), "a sync repairs that");
    }
}
