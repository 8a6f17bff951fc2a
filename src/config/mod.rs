//! Configuration: defaults, then the file, then the environment.
//!
//! [`check()`] is pure: text and variables in, a [`Config`] or every problem at once out, each with
//! its line and its reason. Nothing here is read twice, so a running supervisor keeps the old
//! configuration simply by keeping the old value.

mod build;
mod ccache;
mod check;
mod http;
mod keys;
mod load;
mod notify;
mod problem;
mod publish;
mod rebuild;
mod secrets;
mod server;
mod show;
mod slot;
#[cfg(test)]
mod tests;
mod values;

pub use build::{Jobs, LoadAverage};
pub use ccache::CacheSize;
pub use check::check;
pub use http::{Peer, location};
pub use keys::{
    Build, Ccache, Config, Cycle, Engine, Format, Helpers, Http, Level, Log, Notify, OnFailure, Prune,
    Publish, Rebuild, Remedy, Stop, Sync, Volume,
};
pub use load::{DEFAULT_FILE, FILE_VARIABLE, environment, file, load, read};
pub use notify::{News, Posted, Url};
pub use problem::{Problem, Problems};
pub use publish::{Publisher, SignKey, Tree};
pub use rebuild::{FollowUp, Linked};
pub use secrets::{exposed, in_environment};
pub(crate) use server::server;
pub use show::show;
