//! Keeps the server running, as it is configured; see [`crate::model::server`].

use super::Turn;
use crate::config::Http;
use crate::model::Action;
use crate::model::duration::in_words;
use crate::model::failure::Class;
use crate::model::server::{STEADY, Server, WARNING};
use crate::model::state::{State, Volume};

/// What is to be served with. The URL is for people; nobody is cut off because it changed.
fn wanted(state: &State) -> Option<Http> {
    let http = &state.live.config.http;
    let serves = state.live.volume == Volume::Ours || is_bare(state);
    (serves && http.listen.is_some()).then(|| Http { url: String::new(), ..http.clone() })
}

/// Whether what is served is only how the builder is: its volume was refused, and is not touched. Where the container itself is the wrong one
/// nothing is started in it.
fn is_bare(state: &State) -> bool {
    match &state.live.volume {
        Volume::Ours => false,
        Volume::Refused(failure) => failure.class != Class::Engine,
        // Another look at it cuts nobody off.
        Volume::Claiming => matches!(state.live.server, Server::Up { bare: true, .. }),
    }
}

impl Turn {
    /// It serves to the very end of a stop, but is not started any more then.
    pub(super) fn serve(&mut self) {
        if self.state.live.stopping {
            return;
        }
        let (wanted, bare) = (wanted(&self.state), is_bare(&self.state));
        let mono = self.now.mono;
        match (&mut self.state.live.server, wanted) {
            (Server::Up { halted: true, .. }, _) => {}
            (Server::Up { with, halted, bare: was, .. }, wanted)
                if *was != bare || wanted.as_ref() != Some(&*with) =>
            {
                *halted = true;
                self.actions.push(Action::StopServing);
            }
            (Server::Up { since, .. }, _) if mono >= *since + STEADY => {
                self.state.live.warnings.remove(WARNING);
            }
            (Server::Off, Some(with)) => self.start_server(with, 0),
            (Server::Down { due, deaths }, Some(with)) if mono >= *due => {
                let deaths = *deaths;
                self.start_server(with, deaths);
            }
            (Server::Down { .. }, None) => {
                self.state.live.server = Server::Off;
                self.state.live.warnings.remove(WARNING);
            }
            _ => {}
        }
    }

    fn start_server(&mut self, with: Http, deaths: u32) {
        self.actions.push(Action::Serve(with.clone()));
        let bare = is_bare(&self.state);
        self.state.live.server = Server::Up { with, bare, since: self.now.mono, deaths, halted: false };
    }

    /// It has ended, and that was its last word.
    pub(super) fn server_ended(&mut self, why: &str) {
        if let Some((down, wait)) = self.state.live.server.ended(self.now.mono) {
            self.state.live.server = down;
            let text = format!("clients are not served: {why}; it is tried again after {}", in_words(wait));
            self.state.live.warnings.insert(WARNING, text);
        } else if matches!(self.state.live.server, Server::Up { .. }) {
            self.state.live.server = Server::Off;
            self.state.live.warnings.remove(WARNING);
        }
    }
}
