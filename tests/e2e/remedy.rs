//! What gbsup does about a failure by itself, and where it stops.

use gbsup::core::failure::Class;
use gbsup::core::status::Mode;

use crate::support::{Builder, Recipe};

/// A server for the source of `test-fail/nofetch` that is busy for its first so many answers.
fn serve(builder: &Builder, busy: u32) {
    let server = format!(
        "import http.server
busy = {busy}
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global busy
        busy -= 1
        if busy >= 0:
            return self.send_error(503)
        body = open('/opt/test/nofetch-1.tar.gz', 'rb').read()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', 9), Server).serve_forever()
"
    );
    builder.sh(&format!(
        "setsid python3 -c \"{server}\" >/dev/null 2>&1 & \
         until (exec 3<>/dev/tcp/127.0.0.1/9) 2>/dev/null; do sleep 0.05; done"
    ));
}

#[test]
fn a_server_that_is_busy_twice_is_waited_for() {
    let world = ["test-fail/nofetch", "test-quick/t1"];
    let mut builder = Recipe::new(&world).config("[remedy]\nfetch = [\"1s\", \"1s\", \"1h\"]\n").start();
    // Nobody listens yet: the first two attempts are refused, and the third waits for longer than a test.
    let status = builder.wait_for("the third attempt is far away", |status| {
        status.headline.contains("attempt 4 of 4") && status.headline.contains("min")
    });
    assert_eq!(status.state, Mode::Running, "{}", status.headline);
    assert!(status.headline.contains("test-fail/nofetch-1 could not be fetched"), "{}", status.headline);
    assert!(builder.has("test-quick/t1-1"), "the others are built");
    serve(&builder, 0);
    assert!(builder.gbsup(&["resume"]).ok().contains("trying the build again now"));
    let status = builder.wait_waiting();
    assert_eq!(status.remedies, ["test-fail/nofetch-1 could not be fetched at first; attempt 4 worked"]);
    assert!(builder.has("test-fail/nofetch-1"));
    assert!(builder.gbsup(&["status"]).ok().contains("attempt 4 worked"));
    builder.assert_tidy();
}

#[test]
fn a_server_that_fails_twice_needs_no_person() {
    let mut builder =
        Recipe::new(&["test-quick/t1"]).config("[remedy]\nfetch = [\"1s\", \"2s\", \"3s\"]\n").start();
    builder.wait_waiting();
    serve(&builder, 2);
    builder.sh("echo test-fail/nofetch >/var/lib/portage/world");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(status.remedies, ["test-fail/nofetch-1 could not be fetched at first; attempt 3 worked"]);
    builder.assert_tidy();
}

/// It is not there, and trying again would not bring it.
#[test]
fn a_file_that_is_not_what_it_should_be_is_left_to_a_person() {
    let mut builder = Builder::with_world(&["test-fail/baddigest"]);
    let status = builder.wait_paused();
    let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
    assert_eq!(
        failures.first().map(|failure| (failure.class, failure.may_pass)),
        Some((Class::Fetch, false))
    );
    assert_eq!(status.remedies, [""; 0]);
}
