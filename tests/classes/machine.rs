//! What the machine has to do with it: memory, room, processes.

use gbsup::model::failure::Class;
use gbsup::model::machine::{Machine, Place, Purpose};
use gbsup::model::{Exit, Ran};
use gbsup::portage::output::scanner::Evidence;

use super::{failures, only, ran};

/// The same words mean a lack of memory only when the kernel says that it killed for it.
#[test]
fn memory_ran_out_when_the_kernel_says_so() {
    let short = Ran { machine: killed(Some(3)), ..ran("out-of-memory") };
    let failure = only(short);
    assert_eq!(failure.class, Class::OutOfMemory);
    assert_eq!(failure.headline(), "test-fail/oom-1 ran out of memory");
    assert_eq!(failure.phase.as_deref(), Some("compile"));
    for line in [
        "make: *** [Makefile:2: 1] Error 137",
        "killed by the kernel for lack of memory meanwhile: 3 processes (oom_kill)",
    ] {
        assert!(failure.evidence.iter().any(|evidence| evidence == line), "{failure:#?}");
    }
    assert_eq!(failure.suggestions, ["MAKEOPTS=-j1 emerge --oneshot =test-fail/oom-1"]);

    let failure = only(ran("out-of-memory"));
    assert_eq!((failure.class, failure.message.as_str()), (Class::Compile, "emake failed"));
    let failure = only(Ran { machine: killed(None), ..ran("killed") });
    assert_eq!((failure.class, failure.message.as_str()), (Class::Killed, "it was killed by signal 9"));
    let failure = only(Ran { machine: killed(Some(1)), ..ran("killed") });
    assert_eq!(failure.class, Class::OutOfMemory);
    // Whatever else the kernel killed meanwhile, a compiler that found an error is not a lack of memory.
    let failure = only(Ran { machine: killed(Some(1)), ..ran("compile-failure-alone") });
    assert_eq!(failure.class, Class::Compile);
    let failure = only(Ran {
        machine: killed(Some(1)),
        exit: Exit::Signal(9),
        evidence: Evidence::default(),
        ..ran("killed")
    });
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::OutOfMemory, "emerge was killed because memory ran out")
    );
}

fn killed(oom_kills: Option<u64>) -> Machine {
    Machine { oom_kills, ..Machine::default() }
}

/// A tmpfs of 16 MiB with so much left.
pub(super) fn tmpfs(purpose: Purpose, path: &str, free: u64) -> Place {
    Place {
        purpose,
        directory: path.into(),
        path: path.into(),
        size: 16 << 20,
        free,
        inodes: 1000,
        inodes_free: 500,
        in_memory: true,
        prunable: purpose == Purpose::Packages,
    }
}

pub(super) fn with_places(places: &[Place]) -> Machine {
    Machine { places: places.to_vec(), ..Machine::default() }
}

#[test]
fn a_full_file_system_is_named() {
    let volume = tmpfs(Purpose::Packages, "/var/lib/gbsup/binpkgs", 9 << 20);
    let build = |free| tmpfs(Purpose::Build, "/var/tmp/portage", free);
    for name in ["disk-full", "tmpfs-full"] {
        let mut ran = Ran { machine: with_places(&[volume.clone(), build(0)]), ..ran(name) };
        let found = failures(ran.clone());
        let failure = found.first().expect("a failure");
        assert_eq!(failure.class, Class::DiskFull, "{failure:#?}");
        assert_eq!(
            failure.headline(),
            "test-fail/hungry-1 failed in compile: no space is left on /var/tmp/portage, the build directory \
             (a tmpfs of 16.0 MiB) (the big table cannot be written)"
        );
        assert!(!failure.may_pass, "pruning the volume makes no room there");
        assert_eq!(
            failure.suggestions,
            [
                "df -h /var/tmp/portage",
                "docker run --tmpfs /var/tmp/portage:size=16g,mode=1777,exec ... # on the host",
                "emerge --oneshot =test-fail/hungry-1"
            ]
        );
        // What was measured while it was in work says more than what was measured later.
        ran.moments.insert("test-fail/hungry-1".into(), with_places(&[build(9 << 20)]));
        assert_eq!(failures(ran)[0].class, Class::Compile);
    }
    let inodes = Place { inodes_free: 0, ..build(9 << 20) };
    let failure = only(Ran { machine: with_places(&[inodes]), ..ran("disk-full") });
    assert!(failure.message.starts_with("no inodes are left on /var/tmp/portage"), "{}", failure.message);
    // An error in the sources stays one, and so does a file that is somebody else's.
    for (name, class) in [("compile-failure-alone", Class::Compile), ("collision", Class::Collision)] {
        let failure = only(Ran { machine: with_places(&[build(0)]), ..ran(name) });
        assert_eq!(failure.class, class, "{failure:#?}");
    }
    let sources = tmpfs(Purpose::Sources, "/var/lib/gbsup/distfiles", 0);
    let failure = only(Ran { machine: with_places(&[build(9 << 20), sources]), ..ran("fetch-failure") });
    assert_eq!((failure.class, failure.phase.as_deref()), (Class::DiskFull, Some("fetch")), "{failure:#?}");
}

#[test]
fn a_limit_of_processes_is_named() {
    let machine = Machine {
        refused: Some(1),
        process_limit: Some(20),
        container: "c0ffee".into(),
        ..Machine::default()
    };
    let failure = only(Ran { machine: machine.clone(), ..ran("no-process") });
    assert_eq!(
        (failure.class, failure.headline().as_str()),
        (
            Class::TooManyProcesses,
            "test-quick/t1-1 failed in package: the container may have no more processes: its limit of 20 (pids.max) \
             was reached (Failed to create binpkg file)"
        )
    );
    assert!(failure.suggestions[0].starts_with("docker update --pids-limit 4096 c0ffee"), "{failure:#?}");
    assert!(!gbsup::model::known::is_remembered(&failure));
    assert_eq!(only(ran("no-process")).class, Class::Compile);
    // What the kernel refused to others is no excuse for an error in the sources.
    for (name, class) in [
        ("compile-failure-alone", Class::Compile),
        ("collision", Class::Collision),
        ("fetch-not-found", Class::Fetch),
        ("binpkg-corrupt", Class::Verify),
    ] {
        let failure = only(Ran { machine: machine.clone(), ..ran(name) });
        let unreadable = name == "binpkg-corrupt";
        assert!(failure.class == class || unreadable, "{failure:#?}");
        // A package that could not be unpacked for want of processes is not damaged.
        assert!(!unreadable || failure.class != Class::Compile, "{failure:#?}");
    }
    let not_started = Ran {
        machine,
        exit: Exit::NotStarted("emerge could not be started".into()),
        evidence: Evidence::default(),
        ..ran("no-process")
    };
    assert_eq!(only(not_started).class, Class::TooManyProcesses);
}

#[test]
fn the_limit_of_memory_is_named() {
    let machine = Machine {
        oom_kills: Some(1),
        memory_limit: Some(512 << 20),
        container: "c0ffee".into(),
        ..Machine::default()
    };
    let more = "docker update --memory 1024m --memory-swap 1024m c0ffee # on the host";
    let emerge = Ran {
        machine: machine.clone(),
        exit: Exit::Signal(9),
        evidence: Evidence::default(),
        ..ran("killed")
    };
    let failure = only(emerge);
    assert_eq!(failure.message, "emerge was killed because memory ran out (the container may use 512 MiB)");
    assert_eq!(failure.suggestions, [more]);
    let failure = only(Ran { machine, ..ran("out-of-memory") });
    assert_eq!(failure.suggestions, ["MAKEOPTS=-j1 emerge --oneshot =test-fail/oom-1", more]);
}
