//! What a person wants to have, and Portage does not know.

use std::path::Path;

use super::files::{Ask, ETC, SETS_CONF, read};
use super::silent;
use super::told::refuse;
use crate::config::Config;
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::{self, shell_quote, show_line};
use crate::portage::files::world::{self, Place};
use crate::portage::output::complaints;

/// What a person wants to have, and which sets (portage(5)).
const WORLD: &str = "/var/lib/portage/world";
const WORLD_SETS: &str = "/var/lib/portage/world_sets";

/// What is asked for and is nothing that Portage knows: it refuses the whole world for a set that does not exist, and passes over
/// in silence what is no atom.
///
/// # Errors
/// These.
pub(super) fn check(config: &Config, container: &mut dyn Ask) -> Result<(), Trouble> {
    let wanted = world::wanted(Path::new(WORLD), Path::new(WORLD_SETS), &config.build.targets, read);
    let neither = |(place, word): (Place, String)| {
        let words = format!("it is neither an atom nor a set, and Portage passes it over: {word}");
        silent::complaint(&place.file, place.line, words)
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
    let known = container.ask(&command::list_sets())?;
    refuse(complaints::exception(&known).as_slice())?;
    let unknown = complaints::unknown_sets(&names, &known);
    let Some(name) = unknown.first() else { return Ok(()) };
    let (message, suggestion) = match wanted.sets.iter().find(|(_, of_world)| of_world == name) {
        Some((Place { file, line }, _)) => {
            let file = file.display().to_string();
            let repair = match file.as_str() {
                WORLD_SETS => format!("emerge --deselect {}", shell_quote(&format!("@{name}"))),
                _ => show_line(&file, line),
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
