//! Where no ebuild repository is configured.

use std::path::Path;

use super::files::{ETC, files};
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::shell_quote;

/// What stands in the way. Portage answers also when no repository is there; a file where one belongs is too much for it.
pub(crate) fn none(answer: &[u8]) -> Trouble {
    let answer = String::from_utf8_lossy(answer);
    let lines: Vec<&str> = answer.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.last().copied().unwrap_or("it says nothing");
    let quoted = last.split('\'').find(|part| part.starts_with('/')).map(Path::new);
    let in_the_way = quoted.and_then(|path| path.ancestors().find(|path| path.is_file()));
    let configured = Path::new(ETC).join("repos.conf");
    let look = "portageq repos_config /".to_owned();
    let (message, suggestions) = match in_the_way {
        Some(file) => {
            let path = file.display().to_string();
            let aside = shell_quote(&format!("{path}.aside"));
            let message = format!("{path} is no directory, and a repository belongs there (repos.conf)");
            let path = shell_quote(&path);
            (message, vec![format!("ls -la {path}"), format!("mv -T {path} {aside}")])
        }
        None if lines.contains(&"[DEFAULT]") => {
            let place = configured.display();
            let why = match files(&configured).len() {
                0 if configured.exists() => "has no file",
                0 => "is not there",
                _ => "has no section with a location",
            };
            let message = format!("there is no ebuild repository, and so nothing to build: {place} {why}");
            (message, vec![format!("ls -la {place}"), look])
        }
        None => (format!("Portage does not say which repositories there are: {last}"), vec![look]),
    };
    let evidence = lines[lines.len().saturating_sub(5)..].iter().map(|line| (*line).to_owned()).collect();
    Box::new(Failure { evidence, suggestions, ..Failure::new(Class::Config, message) })
}
