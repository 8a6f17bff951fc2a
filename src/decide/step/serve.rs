//! Keeps the server running, as it is configured; see [`crate::model::server`].

use super::Turn;
use crate::config::Http;
use crate::model::Action;
use crate::model::duration::in_words;
use crate::model::server::{STEADY, Server, WARNING};
use crate::model::state::{State, Volume};

/// What is to be served with. The URL is for people; nobody is cut off because it changed.
fn wanted(state: &State) -> Option<Http> {
    let http = &state.live.config.http;
    let serves = state.live.volume == Volume::Ours && http.listen.is_some();
    serves.then(|| Http { url: String::new(), ..http.clone() })
}

impl Turn {
    /// It serves to the very end of a stop, but is not started any more then.
    pub(super) fn serve(&mut self) {
        if self.state.live.stopping {
            return;
        }
        let wanted = wanted(&self.state);
        let mono = self.now.mono;
        match (&mut self.state.live.server, wanted) {
            (Server::Up { halted: true, .. }, _) => {}
            (Server::Up { with, halted, .. }, wanted) if wanted.as_ref() != Some(&*with) => {
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
        self.state.live.server = Server::Up { with, since: self.now.mono, deaths, halted: false };
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
