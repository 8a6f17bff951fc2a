//! What gbsup does about a failure by itself, and where it stops.

use gbsup::model::failure::Class;
use gbsup::model::status::Mode;
use gbsup::portage::files::index;

use crate::support::{Builder, Recipe};

/// Flags that gbsup puts in force for a while.
const FLAGS: &str = "/etc/portage/package.use/zz-gbsup-circular";

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
    builder.serve(&format!("python3 -c \"{server}\""), 9);
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
        Recipe::settled(&["test-quick/t1"]).config("[remedy]\nfetch = [\"1s\", \"2s\", \"3s\"]\n").start();
    builder.wait_waiting();
    serve(&builder, 2);
    builder.sh("echo test-fail/nofetch >/var/lib/portage/world");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(status.remedies, ["test-fail/nofetch-1 could not be fetched at first; attempt 3 worked"]);
    builder.assert_tidy();
}

/// Eight processes of 90 MB have no room together; four have. The others keep their eight.
#[test]
fn what_ran_out_of_memory_is_built_with_fewer_jobs() {
    let limits = ["--memory", "512m", "--memory-swap", "512m"];
    let world = ["test-fail/oom", "app-text/tree"];
    let mut builder = Recipe::new(&world).args(&limits).env("MAKEOPTS", "-j8").start();
    let status = builder.wait_waiting();
    let [remedy] = status.remedies.as_slice() else { panic!("{:?}", status.remedies) };
    assert!(remedy.starts_with("test-fail/oom-1 ran out of memory at first; it was built with "), "{remedy}");
    let makes = |package: &str| {
        let logs = builder.sh(&format!("grep -h '^make -j' /var/lib/gbsup/log/{package}:*.log"));
        logs.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    let tried = makes("test-fail:oom-1");
    assert_eq!(tried[0], "make -j8", "{tried:?}");
    assert!(["make -j8 -j4", "make -j8 -j1"].contains(&tried.last().unwrap().as_str()), "{tried:?}");
    let others = makes("app-text:tree-*");
    assert!(
        !others.is_empty() && others.iter().all(|make| make.contains("-j8") && !make.contains("-j4")),
        "{others:?}"
    );
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
        Some((Class::Verify, false))
    );
    assert_eq!(status.remedies, [""; 0]);
}

/// The index has these packages once each, these with this flag, and the flags of the meantime are gone.
#[track_caller]
fn assert_untangled(builder: &Builder, packages: &[&str], flagged: &[(&str, &str)]) {
    let index = index::binaries(builder.sh("cat /var/lib/gbsup/binpkgs/Packages").as_bytes());
    for package in packages {
        let instances = index.iter().filter(|binary| binary.cpv.as_str() == *package);
        assert_eq!(instances.count(), 1, "{package} in {index:?}");
        assert!(builder.has(package));
    }
    for (package, flag) in flagged {
        let with_flag =
            |binary: &index::Binary| binary.cpv.as_str() == *package && binary.flags.contains(*flag);
        assert!(index.iter().any(with_flag), "{package} was packaged without {flag}: {index:?}");
    }
    assert_ne!(builder.exec(&["test", "-e", FLAGS]).code, 0, "{FLAGS} is left");
    builder.assert_tidy();
}

/// A world with circles is told of before anything is built, and then they are broken. Of each circle the package
/// that is built with other flags at first.
#[track_caller]
fn untangle(recipe: Recipe, world: &[&str], first: &[&str], all: &[&str]) {
    let mut builder = recipe.world(world).create();
    let control = builder.on_volume("control");
    std::fs::create_dir_all(&control).expect("it can be made");
    std::fs::write(control.join("pause"), "").expect("it can be written");
    builder.start();
    builder.wait_paused_by_operator();
    let told = builder.gbsup(&["plan", "--now"]).ok();
    assert!(told.starts_with("packages need each other to be built: test-ring/"), "{told}");
    assert!(told.contains("-1 with USE=\"-loop\" first"), "{told}");
    std::fs::remove_file(control.join("pause")).expect("it can be removed");
    builder.wait_for("it goes on", |status| status.state != Mode::Paused);
    let status = builder.wait_waiting();
    let mut remedies = status.remedies.clone();
    remedies.sort();
    let told = |package: &&str| {
        format!("{package} was built with USE=\"-loop\" for a while, because packages needed each other")
    };
    assert_eq!(remedies, first.iter().map(told).collect::<Vec<_>>());
    let flagged: Vec<_> = first.iter().map(|package| (*package, "loop")).collect();
    assert_untangled(&builder, all, &flagged);
    assert!(builder.gbsup(&["status"]).ok().contains("needed each other"));
}

#[test]
fn two_rings_at_once_are_broken_and_nothing_odd_is_packaged() {
    let all = ["test-ring/a-1", "test-ring/b-1", "test-ring/c-1", "test-ring/d-1", "test-ring/e-1"];
    let world = ["test-ring/c", "test-ring/e", "test-quick/t1"];
    untangle(Recipe::new(&[]), &world, &["test-ring/a-1", "test-ring/d-1"], &all);
}

/// It has no report for programs and says the same in words.
#[test]
fn an_older_portage_says_what_breaks_a_ring_in_words() {
    let all = ["test-ring/d-1", "test-ring/e-1"];
    untangle(Recipe::new(&[]).older(), &["test-ring/e"], &["test-ring/d-1"], &all);
}

/// The best-known one. What freetype needs is packaged although freetype itself is not at first.
#[test]
fn freetype_and_harfbuzz_are_untangled() {
    let mut builder = Recipe::new(&["media-libs/freetype", "media-libs/harfbuzz"])
        .file("/etc/portage/package.use/mine", "media-libs/freetype harfbuzz -bzip2 -png\n")
        .start();
    let status = builder.wait_waiting();
    assert_eq!(status.remedies.len(), 1, "{:?}", status.remedies);
    assert!(status.remedies[0].contains("-harfbuzz"), "{:?}", status.remedies);
    let packages = ["media-libs/freetype-2.12.1", "media-libs/harfbuzz-6.0.0"];
    assert_untangled(&builder, &packages, &[(packages[0], "harfbuzz")]);
    let installed = builder.sh("cd /var/db/pkg && echo */*").split_whitespace().count();
    // Portage came with the image.
    assert_eq!(builder.packages().len(), installed - 1, "everything that is installed has a package");
}

#[test]
fn a_ring_that_cannot_be_broken_is_named() {
    let mut builder = Builder::with_world(&["test-ring/f", "test-quick/t1"]);
    let status = builder.wait_paused();
    let failures = status.pause.clone().map(|pause| pause.failures).unwrap_or_default();
    let [failure] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(failure.class, Class::Circular);
    let named = |ring: &str| failure.message.contains(ring);
    assert!(
        named("test-ring/f-1 needs test-ring/g-1 needs") || named("test-ring/g-1 needs test-ring/f-1 needs"),
        "{}",
        failure.message
    );
    assert!(failure.evidence.iter().any(|line| line.contains("depends on")), "{:?}", failure.evidence);
    assert_eq!(status.remedies, [""; 0]);
}

/// Killed while the flags are in force, it begins that again; they never outlive it.
#[test]
fn flags_that_a_killed_builder_left_are_withdrawn() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    builder.sh(&format!("mkdir -p /etc/portage/package.use && echo '=test-ring/a-1 -loop' >{FLAGS}"));
    builder.kill();
    builder.start();
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    assert_ne!(builder.exec(&["test", "-e", FLAGS]).code, 0, "{FLAGS} is left");
    assert!(
        builder.logs().contains("USE flags that broke a circular dependency were still in force: removed")
    );
}

/// In all the ways in which files get damaged; what a power loss leaves, the preflight finds.
#[test]
fn damaged_binary_packages_are_set_aside_and_built_anew() {
    let names = ["t4", "t5", "t6", "t7", "t8"];
    let world = names.map(|name| format!("test-quick/{name}"));
    let world: Vec<_> = world.iter().map(String::as_str).collect();
    let mut builder = Builder::with_world(&world);
    builder.wait_waiting();
    let before = builder.packages();
    // A bit flips in the image, in the metadata; one is cut short, one is emptied. Their times stay. Of the last one
    // the index says something else.
    builder.sh(&format!(
        "export CLEAN_DELAY=0; emerge --quiet --unmerge {} && cd /var/lib/gbsup/binpkgs/test-quick && f() {{ echo $1/*.gpkg.tar; }} && \
         for name in t4 t5 t6 t7; do touch -r $(f $name) /tmp/$name; done && \
         flip() {{ at=$(grep --byte-offset --only-matching --text -m 1 $2.tar $1 | head -n 1 | cut -d : -f 1) && \
           echo damage | dd of=$1 bs=1 seek=$((at + 600)) conv=notrunc status=none; }} && \
         flip $(f t4) image && flip $(f t5) metadata && truncate --size 5000 $(f t6) && truncate --size 0 $(f t7) && \
         for name in t4 t5 t6 t7; do touch -r /tmp/$name $(f $name); done && \
         sed -i '/^CPV: test-quick.t8/,/^$/ s/^\\(MD5\\|SHA1\\): ./\\1: x/' ../Packages",
        world.join(" ")
    ));
    // emerge has taken them out of it.
    builder.set_world(&world);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    // The others were found before the build.
    for name in ["t4", "t8"] {
        let told = format!(
            "the binary package of test-quick/{name}-1 was damaged; it was set aside and built from source"
        );
        assert!(status.remedies.contains(&told), "{name}: {:?}", status.remedies);
    }
    assert_eq!(builder.compiled().len(), 10, "{:?}", builder.compiled());
    let after = builder.packages();
    assert_eq!(after.len(), 5, "{after:?}");
    assert!(after.values().all(|inode| !before.values().any(|old| old == inode)), "{before:?} {after:?}");
    let aside = builder.sh("cd /var/lib/gbsup/quarantine && ls");
    for name in ["t4", "t5", "t6", "t8"] {
        assert!(aside.contains(&format!("test-quick_{name}_{name}-1-1.gpkg.tar")), "{name}: {aside}");
    }
    let reasons = builder.sh("cat /var/lib/gbsup/quarantine/*.reason");
    assert_eq!(reasons.lines().count(), 4, "{reasons}");
    builder.assert_tidy();
    // Every one of them is what its Manifest and the index say, to the last byte.
    builder.gbsup(&["verify", "--all"]).ok();
}
