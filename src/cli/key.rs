//! The command that is about the key.

use clap::Subcommand;

/// `gbsup key`
#[derive(Clone, Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a key without a pass phrase in publish.gpg_home, which root alone can read
    #[command(after_help = "\
Example:
  docker run --rm -v gbsup-key:/var/lib/gbsup-key gbsup/builder key init

Without it the builder makes a key on its own volume, with its first release. A key elsewhere is worth more:
whatever is built as root could read the one on the volume. Nothing is done when there is a key already.
Keep a copy of the directory: clients that trust this key refuse what another one signs.")]
    Init {
        /// Whose it is
        #[arg(long, default_value = "gbsup packages")]
        name: String,
        /// How long it signs: 2y, 6m, never; it can be made longer any time
        #[arg(long, default_value = "2y")]
        expire: String,
    },
    /// Show the key, when it expires, and what clients do to trust it
    #[command(after_help = "\
It fails with 5 when the key cannot be used, or expires within 60 days.")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
