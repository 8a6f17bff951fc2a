//! `gbsup clients`: those that the builder knows. They need the volume and no supervisor.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use super::answer::{json, print, tell};
use super::error::{DEADLINE, Error};
use super::socket::Supervisor;
use super::terminal;
use crate::binhost::release::Releases;
use crate::cli::{ClientsArgs, ClientsVerb, Exit};
use crate::config::{self, Config};
use crate::decide::clients::sentence;
use crate::host::clients::{LIMIT, rehearse};
use crate::host::process::Handle;
use crate::host::trees::Trees;
use crate::model::client::{Client, Name};
use crate::model::release::Id;
use crate::portage::files::capture::{self, LONGEST};
use crate::render;
use crate::volume::clients;

/// So long a rollback waits to hear what its clients would do.
const HASTE: Duration = Duration::from_mins(1);

pub(super) fn run(supervisor: &Supervisor, args: ClientsArgs) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    match (args.verb, args.name) {
        (Some(ClientsVerb::Add { name, file, json }), _) => {
            let added = add(&volume, &name, &file, json);
            // Whoever looks at the status sees it, and so the builder does.
            drop(supervisor.status(DEADLINE));
            added
        }
        (Some(ClientsVerb::Remove { name, dry_run }), _) => {
            let removed = remove(&volume, &name, dry_run);
            drop(supervisor.status(DEADLINE));
            removed
        }
        (None, Some(name)) => {
            let client = known(&volume, &name)?;
            print(if args.json { json(&client)? } else { render::client(&client, terminal::look()) })
        }
        (None, None) => {
            let clients = clients::all(&volume);
            print(if args.json { json(&clients)? } else { render::clients(&clients, terminal::look()) })
        }
    }
}

fn known(volume: &Path, name: &Name) -> Result<Client, Error> {
    clients::one(volume, name.clone())
        .ok_or_else(|| Error::Failed(format!("there is no client {name}; see: gbsup clients")))
}

fn add(volume: &Path, name: &Name, file: &Path, as_json: bool) -> Result<Exit, Error> {
    let bytes = read(file)?;
    let capture = capture::read(&bytes).map_err(|refused| {
        Error::Failed(format!("this is not a capture of a client: {}", render::clean(&refused.to_string())))
    })?;
    if !volume.is_dir() {
        return Err(Error::Failed(format!("there is no volume at {}", volume.display())));
    }
    let replaced = clients::add(volume, name, &bytes).map_err(|error| {
        Error::Failed(format!("the capture cannot be kept in {}/clients: {error}", volume.display()))
    })?;
    if !as_json {
        tell(render::client_added(name, &capture, replaced))?;
    }
    let client = rehearsed(volume, known(volume, name)?)?;
    if as_json { print(json(&client)?) } else { tell(render::client_in_short(&client)) }
}

/// The client with how the release on offer fits it, which is on the volume from then on. Before the first release nothing is known.
fn rehearsed(volume: &Path, client: Client) -> Result<Client, Error> {
    let Some(release) = Releases::on(volume).current() else { return Ok(client) };
    let (config, trees) = (config::load()?, Trees::of(volume));
    let handle = Handle::default();
    let Some(fit) = rehearse(&config, (volume, &trees), &client.name, release, &handle, LIMIT) else {
        return Ok(client);
    };
    let kept = clients::keep(volume, &client, &fit).map_err(|error| {
        Error::Failed(format!("what was found of {} cannot be kept: {error}", client.name))
    })?;
    if !kept {
        let words = format!("{} was removed or replaced meanwhile; see: gbsup clients", client.name);
        return Err(Error::Failed(words));
    }
    Ok(Client { fit: Some(fit), ..client })
}

/// What each client would do with a release, a line each; for whoever is about to go back to it, and does not want to wait long.
pub(super) fn beforehand(volume: &Path, release: Id, config: &Config) -> Vec<String> {
    let until = Instant::now() + HASTE;
    let trees = Trees::of(volume);
    let rehearse = |client: Client| {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(format!("{}: not rehearsed, the others took too long", client.name));
        }
        let fit = rehearse(config, (volume, &trees), &client.name, release, &Handle::default(), left)?;
        Some(sentence(&client.name, &fit))
    };
    clients::all(volume).into_iter().filter_map(rehearse).collect()
}

/// All of a capture, and a byte more of what is too long.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(Error::Usage(
                "a capture is read from standard input: sh client.sh capture | ssh builder docker exec -i builder gbsup clients add NAME"
                    .into(),
            ));
        }
        let read = stdin.take(LONGEST + 1).read_to_end(&mut bytes);
        return read
            .map(|_| bytes)
            .map_err(|error| Error::Failed(format!("standard input cannot be read: {error}")));
    }
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| Error::Usage(format!("{} cannot be read: {error}", path.display())))
}

fn remove(volume: &Path, name: &Name, dry_run: bool) -> Result<Exit, Error> {
    known(volume, name)?;
    if dry_run {
        return tell(format!("{name} would be forgotten\n"));
    }
    clients::remove(volume, name)
        .map_err(|error| Error::Failed(format!("{name} cannot be forgotten: {error}")))?;
    tell(format!("{name} is forgotten\n"))
}
