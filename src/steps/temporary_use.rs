//! USE flags for one version of one package, for as long as it is being built.
//!
//! The file is the only one gbsup writes below `/etc/portage`, but for that of helpers ([`super::helpers`]). It goes with its guard, and when the
//! process dies before that, the next preflight removes it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::model::failure::{Class, Failure};
use crate::portage::output::circular::Solution;

/// `package.use` of portage(5), here as a directory: its files are read in the order of their names, and
/// the last one wins.
const DIRECTORY: &str = "/etc/portage/package.use";
const NAME: &str = "zz-gbsup-circular";

/// The flags are in force as long as this lives.
pub(crate) struct TemporaryUse(());

impl TemporaryUse {
    /// Puts the flags in force.
    pub(crate) fn of(solution: &Solution) -> Result<Self, Box<Failure>> {
        let directory = Path::new(DIRECTORY);
        if directory.is_file() {
            let message =
                format!("{DIRECTORY} is a file, so no flags can be added for a while; make it a directory");
            let mut failure = Failure::new(Class::Config, message);
            failure.suggestions = vec![format!(
                "mv {DIRECTORY} {DIRECTORY}.mine && mkdir {DIRECTORY} && mv {DIRECTORY}.mine {DIRECTORY}/mine"
            )];
            return Err(Box::new(failure));
        }
        // From here on whatever is there goes when this does.
        let guard = Self(());
        write(directory, solution).map_err(|error| {
            Box::new(Failure::new(Class::Config, format!("{DIRECTORY}/{NAME} cannot be written: {error}")))
        })?;
        Ok(guard)
    }
}

impl Drop for TemporaryUse {
    fn drop(&mut self) {
        if let Err(error) = remove() {
            tracing::warn!("{DIRECTORY}/{NAME} cannot be removed: {error}");
        }
    }
}

fn write(directory: &Path, solution: &Solution) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut file = File::create(directory.join(NAME))?;
    writeln!(file, "# By gbsup, while it builds this with other flags. It is removed afterwards.")?;
    writeln!(file, "{} {}", solution.package.atom(), solution.flags())?;
    file.sync_all()
}

/// Withdraws the flags; false when there were none.
pub(crate) fn remove() -> io::Result<bool> {
    match fs::remove_file(Path::new(DIRECTORY).join(NAME)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
