//! The configuration: a file, and variables behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::config;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (file, variables) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (format!("GBSUP_{name}"), value.to_owned()));
    if let Err(problems) = config::check(Some(("gbsup.toml", file)), variables) {
        assert!(problems.iter().len() > 0);
        drop(problems.to_string());
    }
});
