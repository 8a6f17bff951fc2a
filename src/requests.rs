//! Requests to others over HTTP: what all of them have in common, and in which words they fail.

use std::io;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Error as Trouble};

/// How requests are made that may take so long altogether. Servers are verified as the system does it.
pub(crate) fn config(timeout: Duration) -> ConfigBuilder<AgentScope> {
    // Whoever was first has installed the same.
    let _ = ring::default_provider().install_default();
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .tls_config(tls)
        .user_agent(format!("gbsup/{}", crate::VERSION))
}

/// What went wrong with a request to this host.
pub(crate) fn sentence(trouble: &Trouble, host: &str) -> String {
    match trouble {
        Trouble::StatusCode(code) => format!("{host} answered with HTTP status {code}"),
        Trouble::TooManyRedirects | Trouble::RedirectFailed => {
            format!("{host} sends it on to another place; configure the URL of that")
        }
        Trouble::Timeout(_) => format!("{host} did not answer in time"),
        Trouble::HostNotFound => format!("the host {host} is not known"),
        Trouble::Rustls(error) => format!("no secure connection to {host}: {error}"),
        // What TLS finds wrong in what it reads comes as this.
        Trouble::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            format!("no secure connection to {host}: {error}")
        }
        Trouble::Io(error) => format!("{host} cannot be reached: {}", in_words(error)),
        Trouble::InvalidProxyUrl => "the proxy in the environment is not a URL".to_owned(),
        Trouble::Protocol(_) => format!("{host} did not answer in HTTP"),
        _ => format!("the request to {host} failed"),
    }
}

/// What the system says, without the number that says it again.
fn in_words(error: &io::Error) -> String {
    let said = error.to_string();
    said.split_once(" (os error ").map_or(said.as_str(), |(words, _)| words).to_owned()
}
