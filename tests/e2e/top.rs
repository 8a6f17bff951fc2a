//! `gbsup top` over `docker exec -it`.

#[path = "../top/terminal.rs"]
#[expect(dead_code, reason = "the tests without containers need more of it")]
mod terminal;

use std::path::PathBuf;

use crate::support::Builder;
use terminal::Terminal;

#[test]
fn a_build_is_followed_and_paused_over_docker_exec() {
    let mut builder = Builder::with_world(&["test-slow/compile"]);
    builder.wait_at("compile");
    // How this machine's client finds the engine.
    let engine: Vec<(String, PathBuf)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, PathBuf::from(value))))
        .filter(|(name, _)| name == "HOME" || name.starts_with("DOCKER_"))
        .collect();
    let engine: Vec<_> = engine.iter().map(|(name, value)| (name.as_str(), value.as_path())).collect();
    let mut terminal =
        Terminal::new((100, 30), &["docker", "exec", "-it", builder.name(), "gbsup", "top"], &engine);
    terminal.until_text("running: building 1 of 1, test-slow/compile-1");
    // Portage's own words in the log of the package.
    terminal.until_text(">>> Compiling source in");
    terminal.resize((200, 60));
    terminal.until("all lists", |screen| {
        let text = screen.contents();
        text.contains("─ At work 1 ─") && text.contains("─ Around ─")
    });
    terminal.press("p");
    terminal.until_text("Pause after the packages that are being built now? (y/n)");
    terminal.press("y");
    terminal.until_text("pausing after the packages that are being built now");
    builder.go("compile");
    terminal.until("the pause", |screen| screen.contents().starts_with("paused: "));
    terminal.until_text("─ Cycles 1 ─");
    terminal.press("r");
    terminal.until_text("Resume? (y/n)");
    terminal.press("y");
    terminal.until("the end", |screen| screen.contents().starts_with("waiting: "));
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.until_as_before();
    builder.wait_waiting();
}
