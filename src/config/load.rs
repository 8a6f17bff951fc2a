//! The file and the environment of this container.

use std::io::{self, Read};
use std::path::PathBuf;
use std::{env, fs};

use super::check::check;
use super::keys::Config;
use super::problem::Problems;

/// Where the file is when `GBSUP_CONFIG` says nothing else.
pub const DEFAULT_FILE: &str = "/etc/gbsup/gbsup.toml";

/// As much of the file is read, in bytes.
const MOST: u64 = 2 << 20;

/// Names the file to read instead of [`DEFAULT_FILE`].
pub const FILE_VARIABLE: &str = "GBSUP_CONFIG";

/// The file that [`load`] reads.
#[must_use]
pub fn file() -> PathBuf {
    env::var_os(FILE_VARIABLE)
        .filter(|name| !name.is_empty())
        .map_or_else(|| DEFAULT_FILE.into(), PathBuf::from)
}

/// The configuration of this container. A file that is not there means the defaults, unless
/// `GBSUP_CONFIG` asked for it.
pub fn load() -> Result<Config, Problems> {
    let (name, text) = read()?;
    check(text.as_deref().map(|text| (name.as_str(), text)), environment())
}

/// The file's name and its text, if there is one.
pub fn read() -> Result<(String, Option<String>), Problems> {
    let path = file();
    let name = path.display().to_string();
    let mut text = String::new();
    // What is longer is refused by `check`.
    let read = fs::File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    match read.map(|_| text) {
        Ok(text) => Ok((name, Some(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var_os(FILE_VARIABLE).is_none() => {
            Ok((name, None))
        }
        Err(error) => Err(Problems::unreadable(&name, &error)),
    }
}

/// The variables that concern gbsup.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("GBSUP_"))
}
