//! Each page in each state of a builder in a real browser: that nothing is wider than the screen, on a phone and on a desk, light and dark.
//!
//! `GBSUP_TEST_SHOTS=directory` keeps a picture of each.

use gbsup::model::status::{Mode, Progress, Status, SyncInfo};
use gbsup::model::told::Told;

use crate::browser::Browser;
use crate::builder::{around, building, lived, paused, told, waiting};
use crate::logs::{FIREFOX, failing, write};
use crate::packages::stocked_with;
use crate::server::{NEW, OLD, Server};

/// The first build, with nothing behind it.
pub(crate) fn first_build() -> Status {
    let mut status = building(0);
    "running: building 1 of 57, sys-devel/a-package-with-a-name-that-has-no-end-9999.20261129_pre4-r12 (configure, 12 s) and 1 more"
        .clone_into(&mut status.headline);
    status.progress = Progress { done: 0, total: 57, failed: 0, binary: 0, source: 0, eta: None };
    status.cycle =
        status.cycle.map(|cycle| gbsup::model::status::CycleInfo { id: 1, reason: "first".into(), ..cycle });
    for (job, name) in status.jobs.iter_mut().zip([
        "sys-devel/a-package-with-a-name-that-has-no-end-9999.20261129_pre4-r12",
        "dev-qt/qtbase-6.10.1",
    ]) {
        job.package = name.into();
        (job.elapsed, job.estimate) = (12, None);
    }
    status.failed.clear();
    status.clients.clear();
    (status.release, status.log) = (None, None);
    status
}

/// Before anything is known.
pub(crate) fn just_started() -> Status {
    let mut status = lived(Mode::Starting, "preflight", "starting: looking at the volume");
    status.clients.clear();
    (status.release, status.log, status.cycle) = (None, None, None);
    status.sync = SyncInfo::default();
    status
}

/// As init tells it when the supervisor keeps dying.
pub(crate) fn degraded() -> Status {
    let mut status = just_started();
    status.state = Mode::Degraded;
    status.step = "wait".into();
    "degraded: the supervisor keeps dying (it died by signal 9); see the log, then: gbsup resume, or stop the container"
        .clone_into(&mut status.headline);
    status
}

/// How many buttons do not stand beside what they copy.
const APART: &str = "[...document.querySelectorAll('code.cmd + button')].filter(button => { \
                     const [one, other] = [button.previousSibling, button].map(part => part.getBoundingClientRect()); \
                     return other.left < one.right || other.top > one.bottom || other.bottom < one.top; }).length";

/// How many commands are not what is selected of them.
const ALTERED: &str = "[...document.querySelectorAll('code.cmd')].filter(command => { \
                       getSelection().selectAllChildren(command); const copied = getSelection().toString(); \
                       getSelection().removeAllRanges(); return copied !== command.textContent; }).length";

/// What there is to see of this builder, and which pages fit.
fn look(browser: &mut Browser, server: &Server, name: &str, paths: &[&str]) {
    let shots = std::env::var_os("GBSUP_TEST_SHOTS").is_some();
    for path in paths {
        for (scheme, width) in
            [("light", 320), ("light", 400), ("dark", 400), ("light", 1400), ("dark", 1400)]
        {
            if !shots && scheme == "dark" || *path != "/" && width == 320 {
                continue;
            }
            browser.look(scheme, width);
            browser.visit(&format!("http://{}{path}", server.address));
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.eval(overflow), 0, "{path} ({name}) at {width}: it scrolls sideways");
            assert_eq!(browser.eval(ALTERED), 0, "{path} ({name}): a command is copied as another");
            assert_eq!(
                browser.eval(APART),
                0,
                "{path} ({name}) at {width}: a button is not beside its command"
            );
            let file = path.split('?').next().unwrap_or_default().trim_matches('/').replace('/', "_");
            browser.shoot(&format!("{name}-{file}-{width}-{scheme}"));
        }
    }
}

#[test]
fn each_page_fits_in_each_state() {
    let (release, compared) = (format!("/releases/{NEW}/"), format!("/releases/{OLD}...{NEW}/"));
    let log = format!("/logs/{FIREFOX}?error");
    let paths = [
        "/",
        "/plan/",
        "/cycles/",
        "/cycles/118",
        "/packages/",
        "/packages/media-libs/libfoo",
        "/releases/",
        &release,
        &compared,
        "/farm",
        "/logs/",
        &log,
        "/nothing/here",
    ];
    let mut browser = Browser::open();
    let mut other = Server::of_builder(&[]);
    other.tell(&told(&paused()));
    other.until("paused: ");
    let peers = format!("http://{} http://127.0.0.1:9", other.address);
    let variables = [("GBSUP_HTTP_PEERS", peers.as_str()), ("GBSUP_HTTP_LOGS", "true")];

    // Without anything behind it: no release, no cycle.
    let mut fresh = Server::of_builder(&variables);
    std::fs::remove_file(fresh.releases().join("current")).unwrap();
    for id in [OLD, NEW] {
        std::fs::remove_dir_all(fresh.releases().join(id)).unwrap();
    }
    for (name, status) in [("started", just_started()), ("first", first_build())] {
        fresh.tell(&told(&status));
        let left =
            if name == "first" { around("building")[0].clone() } else { Told::Left { left: Vec::new() } };
        fresh.tell(&left);
        fresh.until(&status.headline);
        let mut paths = vec!["/", "/plan/", "/cycles/", "/packages/", "/releases/"];
        if name == "started" {
            paths.extend(["/logs/", "/binpkgs/", "/farm"]);
        }
        look(&mut browser, &fresh, name, &paths);
    }

    let mut server = stocked_with(&variables);
    write(&server, &failing());
    for (name, status) in
        [("building", building(11)), ("paused", paused()), ("waiting", waiting()), ("degraded", degraded())]
    {
        server.tell(&told(&status));
        for message in around(name) {
            server.tell(&message);
        }
        server.until(&status.headline);
        let paths = if name == "waiting" { &paths[..] } else { &paths[..3] };
        look(&mut browser, &server, name, paths);
    }
}
