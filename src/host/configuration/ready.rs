//! What building takes beside files that can be read: a place to build in, flags that compilers take, and a key to sign with.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, fstatvfs, statvfs};

use super::files::{Ask, make_conf};
use crate::beneath::Beneath;
use crate::host::places::{databases, names, path_of};
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::{self, CCACHE, shell_quote};
use crate::portage::files::ccache::Shadows;
use crate::portage::files::compilers;
use crate::portage::files::make_conf::Finding;
use crate::portage::files::masquerade;
use crate::portage::files::settings::Settings;
use crate::portage::output::complaints::assignment;

/// The directory of PORTAGE_TMPDIR in which packages are built.
const BUILDS: &str = "portage";

/// Whether packages can be built in PORTAGE_TMPDIR, as `portage/package/ebuild/doebuild.py:_check_temp_dir` does it.
pub(super) fn build_directory(settings: &Settings) -> Result<(), Trouble> {
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
        let set = where_set("PORTAGE_TMPDIR");
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

/// Whether Portage can write where it puts things; what is not there yet it makes.
pub(super) fn places(settings: &Settings) -> Result<(), Trouble> {
    let logdir = settings.logdir.as_ref().map(|place| ("PORTAGE_LOGDIR", place));
    let all = [("DISTDIR", &settings.distdir), ("PKGDIR", &settings.pkgdir)].into_iter().chain(logdir);
    for (name, path) in all {
        let why = match fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => "is not a directory",
            Ok(_) if statvfs(path).is_ok_and(|place| place.flags().contains(FsFlags::ST_RDONLY)) => {
                "is mounted read-only"
            }
            _ => continue,
        };
        let place = path.display();
        let set = where_set(name);
        let evidence = vec![format!("{name}={place}")];
        let suggestions = vec![format!("findmnt --target {}", shell_quote(&place.to_string()))];
        let message = format!("{name} is {place}, which {why}{set}: Portage has to write there");
        return Err(Box::new(Failure { evidence, suggestions, ..Failure::new(Class::Config, message) }));
    }
    Ok(())
}

/// The links that stand for compilers, where Portage has ccache from.
pub(super) fn shadows() -> Option<Shadows> {
    let directory = masquerade::places(CCACHE).find(|place| Path::new(place).is_dir())?;
    Some(Shadows { names: names(Path::new(&directory)).into_iter().collect(), directory })
}

/// What the compilers have against the flags of make.conf.
pub(super) fn flags(settings: &Settings, container: &mut dyn Ask) -> Result<Option<Finding>, Trouble> {
    let tried = compilers::tried(settings);
    if tried.is_empty() {
        return Ok(None);
    }
    let compilers = tried.iter().filter_map(|[_, compiler, ..]| path_of(compiler.split_whitespace().next()?));
    // Assemblers, linkers and headers come by merges.
    let made_of = compilers.chain(databases()).collect();
    Ok(compilers::judge(&container.ask_unless_same(&command::try_flags(&tried), made_of)?))
}

/// The line of make.conf that sets a variable, to be put behind its value; empty where none does.
fn where_set(variable: &str) -> String {
    let files = make_conf();
    let set = assignment(&files, variable, "");
    set.map(|(file, line)| format!(" ({file}, line {line})")).unwrap_or_default()
}

/// The key with which Portage is to sign what it builds.
pub(super) fn own_key(settings: &Settings, container: &mut dyn Ask) -> Result<(), Trouble> {
    let Some(own) = &settings.signatures.own else { return Ok(()) };
    let command = command::secret_key(&own.home, &own.key);
    let text = container.ask(&command)?;
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
