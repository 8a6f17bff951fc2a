//! `gbsup serve`: what clients download, and all of gbsup that listens on the network.
//!
//! It is a process of its own, without rights: it opens its socket and the directory of the releases, gives up
//! everything else ([`confine`](mod@crate::confine)), and only then answers. The supervisor starts it and starts it again; alone in a
//! container that has the volume read-only, it does the same.
//!
//! ```text
//!   /binpkgs/...         the release that is offered; a package that has left it, from the newest that has it
//!   /releases/ID/...     one of them, which never changes
//!   /tree/NAME.git/...   an ebuild repository as the release that is offered has it, for git
//!   /binpkgs/gbsup.asc   the key that packages are signed with
//!   /client.sh           what a client runs (`gbsup client-config`), with the address that it asked by
//!   /healthz             whether it answers
//!   /logs/...            logs of builds and steps, where `http.logs` is on
//!   /distfiles/NAME      source archives, for `GENTOO_MIRRORS`, where `http.distfiles` is on
//!   everything else      what is shown of the builder: `views` has the table
//! ```

mod accept;
mod answer;
mod body;
mod catalogue;
mod client;
mod conditional;
mod crowd;
mod extract;
mod farm;
mod kept;
mod known;
mod lent;
mod live;
mod logs;
mod meter;
mod open;
mod path;
mod reading;
mod reply;
mod routes;
mod send;
mod server;
mod shelf;
mod sources;
mod stream;
mod tree;
mod upload;
mod views;

use std::fmt::Display;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::socket;
use nix::unistd::getppid;
use tracing::{info, warn};

use crate::config::Config;
use crate::confine::{Held, confine};
use crate::logging;
use crate::model::server::NOWHERE;
use crate::procs::Role;
use crate::sys;
use known::News;
use lent::lent;
use logs::Logs;
use server::Limits;
use sources::Sources;
use tree::Tree;
use views::Site;

/// Descriptors beside those of connections: the standard ones, the directory, the runtime's.
const DESCRIPTORS: u64 = 64;
/// How much the builder comes first (nice(2)).
const NICENESS: i32 = 5;

/// How it is to serve.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The process that started it, without which it ends.
    pub parent: Option<i32>,
    /// Standard input is a socket by which the supervisor tells what the builder does.
    pub told: bool,
    /// The volume was refused: nothing of it is served, only how the builder is.
    pub bare: bool,
    /// How long a client may take for a request.
    pub request_timeout: Duration,
    /// How long a client may take nothing of what it is sent.
    pub stall_timeout: Duration,
}

/// Serves the releases of the configured volume until the process is ended.
///
/// # Errors
/// One sentence, when it cannot begin or go on.
pub(crate) fn run(config: &Config, options: &Options) -> Result<(), String> {
    Role::Web.show();
    let address = config.http.listen.ok_or("http.listen is empty: there is nothing to serve on")?;
    let directory = if options.bare { PathBuf::from(NOWHERE) } else { config.volume.path.join("releases") };
    let listener = listen(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    // What the first release makes; until then there is nothing in it.
    drop(fs::DirBuilder::new().recursive(true).mode(0o755).create(&directory));
    let tree = Tree::open(&directory, &config.http.url).map_err(|error| of_directory(&directory, &error))?;
    let told = options.told.then(known::socket).transpose();
    let told = told.map_err(|error| format!("standard input tells nothing: {error}"))?;
    // Before this process gives up what it takes to start another.
    let port = listener.local_addr().map(|address| address.port()).ok();
    let asker = farm::start(&config.http.peers, port);
    let (connections, pages) = (config.http.max_connections, config.http.max_pages);
    sys::give_way(NICENESS);
    let volume = &config.volume.path;
    let logs = lent(config.http.logs && !options.bare, || Logs::open(volume));
    let sources = lent(config.http.distfiles && !options.bare, || Sources::open(volume));
    let mut directories = Vec::new();
    if let Ok(Some(logs)) = &logs {
        directories.extend(logs.directories());
    }
    if let Ok(Some(sources)) = &sources {
        directories.push(sources.directory());
    }
    // A package besides its connection; a page that follows a log has the log besides.
    let files = u64::from(crowd::LINE) + 2 * u64::from(connections) + 2 * u64::from(pages) + DESCRIPTORS;
    let held = confine(tree.directory(), &directories, files)
        .map_err(|error| format!("cannot give up its rights: {error}"))?;
    if let Some(parent) = options.parent {
        end_with(parent).map_err(|error| format!("cannot follow process {parent}: {error}"))?;
    }
    logging::start(config.log, io::stderr);
    tell(held);
    let logs = lent::or_told(logs, "logs");
    let sources = lent::or_told(sources, "source archives");
    let limits =
        Limits { connections, pages, request: options.request_timeout, stall: options.stall_timeout };
    let runtime = runtime().enable_all().build().map_err(no_loop)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(no_loop)?;
        let address = listener.local_addr().map_err(no_loop)?;
        if options.bare {
            info!("serving how the builder is on http://{address}/, and nothing of the volume");
        } else {
            info!("serving {} on http://{address}/binpkgs/", directory.display());
        }
        let volume = volume.display().to_string();
        let farm = asker.listened_to().map_err(no_loop)?;
        let site = |tree, news| {
            let mut site = Site::new(config.notify.name.clone(), volume, tree, news, farm, logs, sources);
            site.bare = options.bare;
            site
        };
        let (newest, news) = if told.is_some() { News::told() } else { News::none() };
        let listens = async {
            match told {
                Some(told) => known::listen(told, newest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = server::serve(listener, site(tree, news), limits) => Err(format!("{} was removed", directory.display())),
            why = listens => Err(why),
        }
    })
}

/// A thread for each CPU, where they can be made: a runtime of several does not expect that they cannot.
fn runtime() -> tokio::runtime::Builder {
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    match sys::threads(cpus) {
        Ok(()) => {
            let mut several = tokio::runtime::Builder::new_multi_thread();
            several.worker_threads(cpus);
            several
        }
        Err(error) => {
            warn!("serving with a single thread: {error}");
            tokio::runtime::Builder::new_current_thread()
        }
    }
}

fn no_loop(error: impl Display) -> String {
    format!("the event loop cannot be made: {error}")
}

fn of_directory(directory: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{} is not there: nothing was published on this volume yet", directory.display())
        }
        _ => format!("{} cannot be read: {error}", directory.display()),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    // By default a few come at once, and the others are heard a second later.
    socket::listen(&listener, socket::Backlog::new(i32::from(crowd::LINE))?)?;
    Ok(listener)
}

/// Ends this process when the one that started it ends. Set after the user was changed, which undoes it.
fn end_with(parent: i32) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid().as_raw() != parent {
        return Err(io::Error::other("it has ended"));
    }
    Ok(())
}

fn tell(held: Held) {
    match held {
        Held::Fully => {}
        Held::Partly => {
            info!("this kernel knows landlock only in part: the server is held as far as it goes");
        }
        Held::ByUserOnly => warn!(
            "this kernel has no landlock, or it is switched off: only the rights of its user keep the server from \
             other files"
        ),
    }
}
