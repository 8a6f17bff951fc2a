//! What a build on this machine goes by, whoever asks for it.

use std::io::{self, Read};
use std::thread;

use crate::beneath::Beneath;
use crate::config::Config;
use crate::portage::command::{BuildOptions, Ccache};
use crate::portage::files::index::{self, Binary};
use crate::portage::files::settings::Settings;
use crate::volume;

/// FEATURES as the container was started with; they win over ours.
pub(crate) fn own_features() -> String {
    std::env::var("FEATURES").unwrap_or_default()
}

pub(crate) fn cpus() -> u32 {
    thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// What the configuration says about a build, on this machine.
pub(crate) fn options(config: &Config, exclude: &[String]) -> BuildOptions {
    let (cpus, build) = (cpus(), &config.build);
    BuildOptions {
        targets: build.targets.clone(),
        jobs: build.jobs.on(cpus),
        load_average: build.load_average.on(cpus),
        args: build.args.clone(),
        keep_going: build.keep_going,
        exclude: exclude.to_vec(),
        ccache: ccache(config),
    }
}

/// What compilers have compiled before, if that is to be kept.
pub(crate) fn ccache(config: &Config) -> Option<Ccache> {
    let size = config.ccache.size.bytes()?;
    Some(Ccache { directory: volume::ccache(&config.volume.path), size })
}

/// What lies in PKGDIR; nothing as long as there is no index.
pub(crate) fn binaries(settings: &Settings) -> Vec<Binary> {
    let read = || {
        let mut text = Vec::new();
        Beneath::open(&settings.pkgdir)?.linked("Packages")?.read_to_end(&mut text)?;
        io::Result::Ok(text)
    };
    read().map(|text| index::binaries(&text)).unwrap_or_default()
}
