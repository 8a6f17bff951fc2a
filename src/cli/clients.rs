//! The arguments of what is about the clients that the builder knows.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::client::Name;

/// `gbsup clients`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  sh client.sh capture | ssh builder docker exec -i builder gbsup clients add laptop
  gbsup clients
  gbsup clients laptop
  gbsup clients remove laptop

Portage itself says what each client would do with a release, when the client is added and after each publication: by the
configuration of the client and what is installed there, without network and rights. Piped, the columns are separated by tabs."
)]
pub struct ClientsArgs {
    /// Show all that is known of this client
    #[arg(value_name = "NAME")]
    pub name: Option<Name>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// What to do instead.
    #[command(subcommand)]
    pub verb: Option<ClientsVerb>,
}

/// What is done with a client.
#[derive(Debug, Subcommand)]
pub enum ClientsVerb {
    /// Know a client by what `sh client.sh capture` prints there; the same name again replaces it
    Add {
        /// What to call it
        #[arg(value_name = "NAME")]
        name: Name,
        /// The tar, or - for standard input
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a client
    Remove {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: Name,
        /// Only say whether it is known
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}
