//! The helper's side: `gbsup helper BUILDER`.

mod distcc;
mod icecream;
mod place;

use nix::unistd::geteuid;
use place::{DISTCC_DIRECTORY, ICECREAM_DIRECTORY, means};

use crate::config::Engine;
use crate::decide::helpers as decide;
use crate::host::places::found;
use crate::procs::Role;

/// Helps until it is ended.
///
/// # Errors
/// One sentence why it cannot, or cannot any more.
pub(crate) fn run(builder: &str, engine: Engine) -> Result<(), String> {
    Role::Helper.show();
    let (name, daemon, takes, directory) = match engine {
        Engine::Distcc => ("distcc", "distccd", decide::DISTCC, DISTCC_DIRECTORY),
        Engine::None | Engine::Icecream => ("icecream", "iceccd", decide::ICECREAM, ICECREAM_DIRECTORY),
    };
    if !found(daemon) {
        return Err(format!("{name} is not installed in this image: emerge --oneshot sys-devel/{name}"));
    }
    let mut means = means(directory)?;
    if engine == Engine::Distcc && !geteuid().is_root() {
        // There is nobody to become, and nothing to give up.
        means.capabilities = u64::MAX;
    }
    let slots = decide::slots(takes, means, directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| problem.to_string())?;
    match engine {
        Engine::Distcc => runtime.block_on(distcc::help(builder, slots)),
        Engine::None | Engine::Icecream => runtime.block_on(icecream::help(builder, slots)),
    }
}
