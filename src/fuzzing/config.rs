//! The configuration: a file, and variables behind it.
use crate::config;

/// Reads it.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (file, variables) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (format!("GBSUP_{name}"), value.to_owned()));
    if let Err(problems) = config::check(Some(("gbsup.toml", file)), variables) {
        assert!(problems.iter().len() > 0);
        let _ = problems.to_string();
    }
}
