//! Rounds of chance: what changes, what breaks and what people do, in an order that nobody would think of, and after each an oracle
//! that knows what was promised.
//!
//! `make soak SEED=n ROUNDS=n` runs as many as one likes; the tests run twenty of them, in which each fault comes.

#![allow(unreachable_pub, reason = "the parts of one test")]

mod disk;
mod ground;
mod oracle;
mod plan;
mod power;
mod world;

use std::fs;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use oracle::Oracle;
use plan::Plan;
use world::World;

use crate::support::Random;

/// The seed and the number of the rounds that the tests run.
const SEED: u64 = 2;
const ROUNDS: u32 = 20;

/// Runs these rounds. What was violated ends it with everything that led to it; the container stays when `GBSUP_SOAK_KEEP` is set.
fn soak(seed: u64, rounds: u32) -> (World, Oracle, Plan) {
    println!("SEED={seed} ROUNDS={rounds}");
    let mut plan = Plan::new(Random::of(seed));
    let mut world = World::new(&plan);
    world.rest(1, &plan);
    let mut oracle = Oracle::new(&world);
    let mut story = Vec::new();
    for _ in 0..rounds {
        let round = plan.next();
        println!("{round}");
        story.push(round.to_string());
        let begun = std::time::Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let status = world.run(&round, &plan);
            println!("    {:.1} s: {}", begun.elapsed().as_secs_f32(), status.headline);
            oracle.examine(&mut world, &round, &plan, &status)
        }));
        let wrong = match outcome {
            Ok(wrong) if wrong.is_empty() => continue,
            Ok(wrong) => wrong,
            Err(panic) => vec![said(&*panic)],
        };
        let name = world.builder.name().to_owned();
        println!("violated in round {} of SEED={seed}, after:\n{}", round.number, story.join("\n"));
        if std::env::var("GBSUP_SOAK_KEEP").is_ok_and(|keep| !keep.is_empty()) {
            println!("it is kept: docker exec -it {name} gbsup status; docker rm -f {name} ends it");
            println!("its client: docker exec -it {} bash", oracle.reader.name());
            std::mem::forget((world, oracle));
        }
        panic!("round {}:\n{}", round.number, wrong.join("\n"));
    }
    (world, oracle, plan)
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// The first package of the release that clients are offered.
fn first_package(volume: &Path) -> PathBuf {
    let current = volume.join("releases/current");
    let index = fs::read_to_string(current.join("Packages")).expect("an index");
    let path = index.lines().find_map(|line| line.strip_prefix("PATH: ")).expect("a package");
    current.join(path)
}

/// The oracle notices what it is there to notice.
fn blind_spots(world: &World, oracle: &Oracle) {
    let volume = world.ground.volume();
    let package = first_package(&volume);
    let finds = |what: &str, words: &str| {
        let wrong = oracle.reader.files(&["--read-only", "--again=s3"]);
        assert!(wrong.iter().any(|line| line.contains(words)), "{what}, and the oracle says {wrong:#?}");
    };

    let file = fs::File::options().read(true).write(true).open(&package).expect("it is root's");
    let (mut byte, at) = ([0], file.metadata().expect("it is there").len() / 2);
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 1], at).expect("it can be written");
    finds("one bit is another", "is not what the index says");
    file.write_all_at(&byte, at).expect("it can be written");

    let aside = volume.join("aside");
    fs::rename(&package, &aside).expect("one file system");
    finds("a package is missing in a release", "is in the index: No such file");
    fs::rename(&aside, &package).expect("one file system");

    let path = package.strip_prefix(volume.join("releases/current")).expect("below it").to_owned();
    let finished = volume.join("binpkgs").join(path);
    fs::rename(&finished, &aside).expect("one file system");
    finds("a finished package is gone", "was finished and is lost");
    fs::copy(&aside, &finished).expect("room for it");
    finds("it was made anew", "was finished and is another file");
    fs::rename(&aside, &finished).expect("one file system");

    let again =
        finished.with_file_name(format!("again-{}", finished.file_name().expect("a name").to_string_lossy()));
    fs::copy(&finished, &again).expect("room for it");
    finds("it was built twice", "built more than once");
    fs::remove_file(&again).expect("it is there");

    let index = volume.join("releases/current/Packages");
    let text = fs::read(&index).expect("it is there");
    fs::write(&index, &text[..text.len() / 2]).expect("it can be written");
    finds("half an index", "the index");
    fs::write(&index, &text).expect("it can be written");
    assert_eq!(oracle.reader.files(&["--read-only", "--again=s3"]), Vec::<String>::new(), "all is as it was");
}

#[test]
fn twenty_rounds_and_an_oracle_that_sees() {
    let (world, oracle, _) = soak(SEED, ROUNDS);
    blind_spots(&world, &oracle);
}

/// `make soak`.
#[test]
#[ignore = "it takes as long as one likes"]
fn rounds_of_chance() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("SEED").unwrap_or_else(clock);
    let rounds = number("ROUNDS").and_then(|rounds| u32::try_from(rounds).ok()).unwrap_or(200);
    soak(seed, rounds);
    println!("SEED={seed}: {rounds} rounds without a violation");
}

/// A seed for who chooses none.
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs())
}
