//! What `docker logs` says when the headline is about something else than before.

use tracing::{error, info};

use crate::model::failure::Failure;
use crate::model::status::{Status, Why};
use crate::render::{self, clean};

/// So many failures are explained.
const EXPLAINED: usize = 20;

/// The headline, and behind a failure everything that helps to repair it.
pub(super) fn announce(status: &Status) {
    let headline = render::line(status);
    let Some(pause) = status.pause.as_ref().filter(|pause| pause.why == Why::Failure) else {
        info!("{headline}");
        return;
    };
    error!("{headline}");
    for failure in pause.failures.iter().take(EXPLAINED) {
        // A single failure is the headline already.
        if pause.failures.len() > 1 {
            info!("  {}", clean(&failure.headline()));
        }
        explain(failure);
    }
    if pause.failures.len() > EXPLAINED {
        info!("  and {} more: gbsup failures", pause.failures.len() - EXPLAINED);
    }
    for action in &pause.actions {
        info!("  {}", clean(action));
    }
}

fn explain(failure: &Failure) {
    for line in &failure.evidence {
        info!("    | {}", clean(line));
    }
    if let Some(log) = &failure.log {
        info!("    log: {}", clean(log));
    }
}
