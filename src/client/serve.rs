//! `gbsup serve`: the server's role, which a person may play as well.

use std::time::Duration;

use super::error::Error;
use crate::cli::{Exit, ServeArgs};
use crate::{config, web};

pub(super) fn run(args: &ServeArgs) -> Result<Exit, Error> {
    let mut config = config::load()?;
    if let Some(address) = args.listen {
        config.http.listen = Some(address);
    }
    if let Some(volume) = &args.volume {
        config.volume.path.clone_from(volume);
    }
    let options = web::Options {
        parent: args.parent,
        told: args.told,
        bare: args.bare,
        request_timeout: Duration::from_secs_f64(args.request_timeout),
        stall_timeout: Duration::from_secs_f64(args.stall_timeout),
    };
    web::run(&config, &options).map_err(Error::Failed)?;
    Ok(Exit::Done)
}
