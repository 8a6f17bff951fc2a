//! The verbs that are about clients of the packages.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config;

/// `gbsup serve`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example, with the builder's volume read-only and nothing else:
  docker run -d --read-only --cap-drop ALL --user 65533:65533 --no-healthcheck -p 8080:8080 \
      -v gb:/var/lib/gbsup:ro IMAGE serve

Clients find the packages at http://HOST:PORT/binpkgs/. Started as root it takes a user without rights.")]
pub struct ServeArgs {
    /// Where to listen, in place of http.listen
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// The volume, in place of volume.path
    #[arg(long, value_name = "DIRECTORY")]
    pub volume: Option<PathBuf>,
    /// The process that started it, without which it ends
    #[arg(long, hide = true)]
    pub parent: Option<i32>,
    /// Standard input tells what the builder does
    #[arg(long, hide = true)]
    pub told: bool,
    /// Nothing of the volume is served, only how the builder is
    #[arg(long, hide = true)]
    pub bare: bool,
    /// Seconds that a client may take for a request
    #[arg(long, hide = true, default_value_t = 15.0, value_parser = seconds)]
    pub request_timeout: f64,
    /// Seconds that a client may take nothing of what it is sent
    #[arg(long, hide = true, default_value_t = 60.0, value_parser = seconds)]
    pub stall_timeout: f64,
}

/// `gbsup client-config`
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example, typed on the client as root:
  ssh builder docker exec builder gbsup client-config --url http://builder:8080 > client.sh
  less client.sh
  sh client.sh setup    use the builder's packages; may be run again
  sh client.sh check    what would be compiled all the same, and why; changes nothing
  sh client.sh capture  print a tar of what this machine is configured by, for a builder
  sh client.sh undo     take back what setup did

The server offers the same script as /client.sh. It changes only files named *gbsup*, and what it has to add to a
make.conf that is a file it marks.")]
pub struct ClientConfigArgs {
    /// Where the client reaches this builder's server, in place of http.url
    #[arg(long, value_name = "URL", value_parser = config::location)]
    pub url: Option<String>,
}

/// A time of which a duration can be made.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds")?;
    if (0.01..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0.01 to 86400 seconds".into())
    }
}
