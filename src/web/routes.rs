//! Which path has which view. Pure.

use crate::model::release::Id;

/// A view of the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// How it is: as a page, as text, as JSON.
    Now,
    /// What is left to do.
    Plan,
    Cycles,
    Cycle(u64),
    Releases,
    /// What the second of two releases has that the first has not.
    Compare(Id, Id),
    /// The list of packages, all or those that were searched for.
    Packages,
    /// One of them.
    Package,
    /// Several builders in a table.
    Farm,
    /// How all pages look.
    Style,
    /// What keeps an open page up to date.
    Script,
    /// The same for the page of a log.
    LogScript,
    /// In the browser's tab.
    Icon,
    /// The status, as `gbsup status --json` prints it.
    Status,
    /// The same whenever it changes, or the parts of the first page that did.
    Events,
    /// How the release fits each client.
    Clients,
    FarmJson,
    CyclesJson,
    CycleJson(u64),
    PackagesJson,
    PackageJson,
    ReleasesJson,
    ReleaseJson(Id),
    CompareJson(Id, Id),
    /// What all of these are.
    OpenApi,
    Metrics,
    FeedOfReleases,
    FeedOfFailures,
    /// One of these without the slash behind it.
    Slash,
}

impl View {
    /// Whether it needs nothing of the volume.
    pub(super) fn is_of_the_builder(self) -> bool {
        matches!(
            self,
            Self::Now
                | Self::Plan
                | Self::Farm
                | Self::FarmJson
                | Self::Style
                | Self::Script
                | Self::Icon
                | Self::Status
                | Self::Events
                | Self::OpenApi
                | Self::Metrics
        )
    }

    /// Whether it shows other builders, so that they are asked before it is made.
    pub(super) fn is_of_several(self) -> bool {
        matches!(self, Self::Farm | Self::FarmJson)
    }
}

/// Each view that has a path of its own.
const VIEWS: &[(&str, View)] = &[
    ("/", View::Now),
    ("/plan/", View::Plan),
    ("/cycles/", View::Cycles),
    ("/packages/", View::Packages),
    ("/releases/", View::Releases),
    ("/farm", View::Farm),
    ("/style.css", View::Style),
    ("/page.js", View::Script),
    ("/log.js", View::LogScript),
    ("/icon.svg", View::Icon),
    ("/api/v1/status", View::Status),
    ("/api/v1/events", View::Events),
    ("/api/v1/clients", View::Clients),
    ("/api/v1/farm", View::FarmJson),
    ("/api/v1/cycles", View::CyclesJson),
    ("/api/v1/packages", View::PackagesJson),
    ("/api/v1/releases", View::ReleasesJson),
    ("/api/v1/openapi.json", View::OpenApi),
    ("/metrics", View::Metrics),
    ("/feed/releases.atom", View::FeedOfReleases),
    ("/feed/failures.atom", View::FeedOfFailures),
];

/// The view that a path leads to.
pub(super) fn find(path: &str) -> Option<View> {
    // What nearly every request is for is not looked for here.
    if path.starts_with("/binpkgs/") {
        return None;
    }
    let slash = |known: &str| !path.is_empty() && known.strip_suffix('/') == Some(path);
    let found =
        VIEWS.iter().find_map(
            |(known, view)| {
                if *known == path { Some(*view) } else { slash(known).then_some(View::Slash) }
            },
        );
    found.or_else(|| named(path))
}

/// One of a kind, by its name.
fn named(path: &str) -> Option<View> {
    let number = |digits: &str| {
        let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| plain)
    };
    let both = |text: &str| {
        let (from, to) = text.split_once("...")?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    if let Some(api) = path.strip_prefix("/api/v1/") {
        let (kind, one) = api.split_once('/')?;
        return match kind {
            "cycles" => number(one).map(View::CycleJson),
            "packages" => one.contains('/').then_some(View::PackageJson),
            "releases" => {
                let compared = both(one).map(|(from, to)| View::CompareJson(from, to));
                compared.or_else(|| one.parse().ok().map(View::ReleaseJson))
            }
            _ => None,
        };
    }
    let (kind, one) = path.strip_prefix('/')?.split_once('/')?;
    match kind {
        "cycles" => number(one).map(View::Cycle),
        "packages" => one.contains('/').then_some(View::Package),
        "releases" => match one.strip_suffix('/') {
            Some(one) => both(one).map(|(from, to)| View::Compare(from, to)),
            None => both(one).map(|_| View::Slash),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_views() {
        let id = |number: u32| format!("2026-11-22.{number}").parse().unwrap();
        for (path, view) in [
            ("/", Some(View::Now)),
            ("/cycles/", Some(View::Cycles)),
            ("/cycles", Some(View::Slash)),
            ("/cycles/12", Some(View::Cycle(12))),
            ("/cycles/012", None),
            ("/cycles/0", None),
            ("/cycles/+1", None),
            ("/cycles/12/", None),
            ("/cycles/99999999999999999999999", None),
            ("/cycles/../state", None),
            ("/releases", Some(View::Slash)),
            ("/releases/2026-11-22.1/", None),
            ("//", None),
            ("", None),
            ("/api/v1/status", Some(View::Status)),
            ("/api/v1/status/", None),
            ("/farm", Some(View::Farm)),
            ("/api/v1/farm", Some(View::FarmJson)),
            ("/binpkgs/", None),
            ("/packages/", Some(View::Packages)),
            ("/packages", Some(View::Slash)),
            ("/packages/app-misc/hello", Some(View::Package)),
            ("/packages/app-misc", None),
            ("/api/v1/packages/app-misc/hello", Some(View::PackageJson)),
            ("/api/v1/cycles/12", Some(View::CycleJson(12))),
            ("/api/v1/cycles/x", None),
            ("/api/v1/releases/2026-11-22.1", Some(View::ReleaseJson(id(1)))),
            ("/api/v1/releases/2026-11-22.1...2026-11-22.2", Some(View::CompareJson(id(1), id(2)))),
            ("/api/v1/releases/2026-11-22.1..2026-11-22.2", None),
            ("/releases/2026-11-22.1...2026-11-22.2/", Some(View::Compare(id(1), id(2)))),
            ("/releases/2026-11-22.1...2026-11-22.2", Some(View::Slash)),
            ("/releases/2026-11-22.1.../", None),
        ] {
            assert_eq!(find(path), view, "{path}");
        }
    }
}
