//! The configuration as a file, with where each value came from.

use std::fmt::Write as _;

use super::check::check_with_origins;
use super::keys::KEYS;
use super::problem::{Place, Problems};

/// The configuration in effect as TOML; each value says whether it is the default, or which line
/// or variable set it.
pub fn show(
    file: Option<(&str, &str)>,
    env: impl Iterator<Item = (String, String)>,
) -> Result<String, Problems> {
    let (config, origins) = check_with_origins(file, env)?;
    let mut shown = String::new();
    for ((section, keys), values) in KEYS.iter().zip(config.shown()) {
        let separator = if shown.is_empty() { "" } else { "\n" };
        let _ = writeln!(shown, "{separator}[{section}]");
        for (key, value) in keys.iter().zip(values) {
            let origin = match origins.get(&(*section, *key)) {
                None => "default".into(),
                Some(Place::Variable(name)) => format!("from {name}"),
                Some(place) => place.to_string(),
            };
            let _ = writeln!(shown, "{:<40} # {origin}", format!("{key} = {value}"));
        }
    }
    Ok(shown)
}
