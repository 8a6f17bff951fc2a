//! `gbsup clients`: those that the builder knows. They need the volume and no supervisor.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use super::answer::{json, print};
use super::error::Error;
use super::socket::Supervisor;
use super::terminal;
use crate::cli::{ClientsArgs, ClientsVerb, Exit};
use crate::model::client::{Client, Name};
use crate::portage::files::capture::{self, LONGEST};
use crate::render;
use crate::volume::clients;

pub(super) fn run(supervisor: &Supervisor, args: ClientsArgs) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    match (args.verb, args.name) {
        (Some(ClientsVerb::Add { name, file, json }), _) => add(&volume, &name, &file, json),
        (Some(ClientsVerb::Remove { name, dry_run }), _) => remove(&volume, &name, dry_run),
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
        Error::Failed(format!("this is no capture of a client: {}", render::clean(&refused.to_string())))
    })?;
    if !volume.is_dir() {
        return Err(Error::Failed(format!("there is no volume at {}", volume.display())));
    }
    let replaced = clients::add(volume, name, &bytes).map_err(|error| {
        Error::Failed(format!("the capture cannot be kept in {}/clients: {error}", volume.display()))
    })?;
    let client = known(volume, name)?;
    if as_json {
        return print(json(&client)?);
    }
    print(render::client_added(name, &capture, replaced))
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
        return print(format!("{name} would be forgotten\n"));
    }
    clients::remove(volume, name)
        .map_err(|error| Error::Failed(format!("{name} cannot be forgotten: {error}")))?;
    print(format!("{name} is forgotten\n"))
}
