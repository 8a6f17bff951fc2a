//! What more machines are worth for a plan: as compile helpers of one builder, as builders of whole packages, or as both.
//!
//! ```text
//! emerge --pretend --emptytree --verbose @world >plan
//! cargo bench --bench machines -- plan /var/db/repos/gentoo/metadata/md5-cache /var/log/emerge.log
//!
//! machines [--share=0.69] [--fixed=8] [--install=2] PLAN CACHE TIMES...
//! ```
//!
//! TIMES are logs of emerge, or tables of `category/package number`; see [`times`]. A log should have no runs with `--jobs`: what shares
//! a machine takes longer than it needs. A package in C or C++ has `--fixed` seconds in which nothing is compiled (unpacking, configuring,
//! installing); of the rest, helpers take over the part `--share` (not preprocessing and linking). `--install` is the seconds to fetch and
//! install a package that another machine has built. All machines are alike, and each builds one package at a time.

mod graph;
mod schedule;
mod times;

use std::error::Error;
use std::fs;
use std::path::Path;

use gbsup::portage::output::plan::{Planned, Reader};

use graph::Node;
use schedule::{Farm, Task, critical_path, ranks};

/// How many machines are tried.
const MACHINES: [usize; 5] = [1, 2, 4, 8, 16];
/// How many of the longest are named.
const NAMED: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (options, files): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| arg.starts_with("--"));
    let (mut share, mut fixed, mut install): (f64, f64, f64) = (0.69, 8.0, 2.0);
    for option in options {
        match option.split_once('=') {
            Some(("--share", value)) => share = value.parse()?,
            Some(("--fixed", value)) => fixed = value.parse()?,
            Some(("--install", value)) => install = value.parse()?,
            _ => {
                return Err(
                    format!("no such option: {option}; see the top of benches/machines/main.rs").into()
                );
            }
        }
    }
    let [plan, cache, sources @ ..] = &files[..] else {
        return Err("see the top of benches/machines/main.rs".into());
    };
    let plan = read_plan(&fs::read(plan)?);
    let nodes = graph::read(&plan, Path::new(cache));
    let names: Vec<&str> = plan.iter().map(|package| package.cpv.cp()).collect();
    let read: Vec<times::Source> = sources
        .iter()
        .map(|source| Ok(times::read(&fs::read(source)?)))
        .collect::<Result<_, std::io::Error>>()?;
    let (seconds, used) = times::of(&names, &read);
    let task = |(node, seconds): (&Node, &f64)| Task {
        seconds: *seconds,
        share: if node.helped { share * (1.0 - fixed / seconds).max(0.0) } else { 0.0 },
        after: node.after.clone(),
    };
    let tasks: Vec<Task> = nodes.iter().zip(&seconds).map(task).collect();

    tell_graph(&nodes);
    tell_times(&sources.iter().map(|source| source.as_str()).collect::<Vec<_>>(), &used, &seconds);
    tell_long(&plan, &tasks);
    tell_machines(&tasks, install);
    Ok(())
}

/// What is built of a plan, in its order.
fn read_plan(text: &[u8]) -> Vec<Planned> {
    let mut reader = Reader::new();
    text.split(|&byte| byte == b'\n').for_each(|line| reader.line(line));
    let mut packages = reader.finish(&[]).packages;
    packages.retain(|package| !package.binary);
    packages
}

fn tell_graph(nodes: &[Node]) {
    let count = |of: fn(&Node) -> usize| nodes.iter().map(of).sum::<usize>();
    println!(
        "{} packages: the dependencies of {} are known, {} are compiled by what can be helped; a package needs {} others, {} needs in all \
         are met by what is installed",
        nodes.len(),
        count(|node| usize::from(node.known)),
        count(|node| usize::from(node.helped)),
        count(|node| node.after.len()) / nodes.len().max(1),
        count(|node| node.later),
    );
}

fn tell_times(sources: &[&str], used: &[times::Used], seconds: &[f64]) {
    let total: f64 = seconds.iter().sum();
    for (source, used) in sources.iter().zip(used) {
        let times::Used { packages, seconds, scale, quartiles: (low, high), telling } = used;
        let part = seconds / total;
        println!(
            "{source}: the times of {packages} packages, {part:.2} of all; x {scale:.3} ({low:.3} to {high:.3}, by {telling} packages)"
        );
    }
    let known: f64 = used.iter().map(|used| used.seconds).sum();
    let packages = seconds.len() - used.iter().map(|used| used.packages).sum::<usize>();
    println!("by their kind: the times of {packages} packages, {:.2} of all", 1.0 - known / total);
}

fn tell_long(plan: &[Planned], tasks: &[Task]) {
    let total: f64 = tasks.iter().map(|task| task.seconds).sum();
    let shared: f64 = tasks.iter().map(|task| task.seconds * task.share).sum();
    let name = |&place: &usize| format!("{} {:.0} s", plan[place].cpv.cp(), tasks[place].seconds);
    let list = |places: &[usize]| places.iter().map(name).collect::<Vec<_>>().join(", ");
    let mut longest: Vec<usize> = (0..tasks.len()).collect();
    longest.sort_by(|&a, &b| tasks[b].seconds.total_cmp(&tasks[a].seconds));
    longest.truncate(NAMED);
    let mut path = critical_path(tasks);
    path.retain(|&place| tasks[place].seconds >= total / 200.0);
    println!("one after the other: {total:.0} s, of which helpers can take over {:.2}", shared / total);
    println!("the longest: {}", list(&longest));
    println!(
        "the critical path: {:.2} of all; of it: {}\n",
        ranks(tasks).into_iter().fold(0.0, f64::max) / total,
        list(&path)
    );
}

fn tell_machines(tasks: &[Task], install: f64) {
    let alone = Farm { machines: 1, workers: 1, help: false, install }.run(tasks);
    println!(
        "| machines | compile helpers | whole packages | both | no schedule of whole packages is below |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for machines in MACHINES {
        let part = |workers, help| Farm { machines, workers, help, install }.run(tasks) / alone;
        let bound = (ranks(tasks).into_iter().fold(0.0, f64::max) / alone).max(1.0 / machines as f64);
        let (helpers, packages, both) = (part(1, true), part(machines, false), part(machines, true));
        println!("| {machines} | {helpers:.2} | {packages:.2} | {both:.2} | {bound:.2} |");
    }
}
