//! What a build will do is known before it begins, and why.

use gbsup::model::failure::Class;
use gbsup::model::state::CyclePlan;
use gbsup::portage::output::plan::{Action, Plan, Planned, Reason};

use crate::support::{Builder, Recipe};

/// The plan of this cycle, when the cycle is over.
#[track_caller]
fn plan(builder: &mut Builder, cycle: u64) -> Plan {
    builder.wait_waiting();
    let text = builder.gbsup(&["plan", "--json"]).ok();
    let made: CyclePlan = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(made.cycle, cycle, "{text}");
    made.plan
}

/// Begins the next cycle.
fn sync(builder: &mut Builder, cycle: u64) {
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(cycle);
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.packages.iter().map(|package| package.cpv.as_str()).collect()
}

#[track_caller]
fn find<'a>(plan: &'a Plan, name: &str) -> &'a Planned {
    plan.named(name).next().unwrap_or_else(|| panic!("{name} is not in {plan:#?}"))
}

#[test]
fn every_change_has_its_reason() {
    let mut builder = Builder::with_world(&["test-quick/t3"]);
    let fresh = plan(&mut builder, 1);
    assert_eq!(names(&fresh), ["test-quick/t1-1", "test-quick/t2-1", "test-quick/t3-1"]);
    assert!(fresh.packages.iter().all(|package| package.action == Action::New && !package.binary));
    assert_eq!(builder.compiled(), names(&fresh), "what was planned was done");
    let said = builder.gbsup(&["why", "t1"]).ok();
    assert!(said.contains("needed by test-quick/t2-1, needed by test-quick/t3-1"), "{said}");
    let said = builder.gbsup(&["why", "test-quick/t8"]).exited(1);
    assert!(said.contains("test-quick/t8 is not in the plan of cycle 1"), "{said}");

    // A sub-slot, and a version with a flag more.
    builder.tree(&["bump", "test-quick/t1", "1", "2", "s|^SLOT.*|SLOT=\"0/2\"|"]);
    builder.tree(&["bump", "test-quick/t3", "1", "2", "s|^SLOT.*|&\\nIUSE=\"doc\"|"]);
    sync(&mut builder, 2);
    let changed = plan(&mut builder, 2);
    let rebuilt = find(&changed, "t2");
    assert_eq!(rebuilt.action, Action::Rebuild);
    let because = vec![find(&changed, "t1").cpv.clone()];
    assert_eq!(because[0].as_str(), "test-quick/t1-2");
    assert_eq!(rebuilt.why.first(), Some(&Reason::SlotRebuild { because }));
    let updated = find(&changed, "t3");
    assert_eq!((updated.action, updated.old.as_slice()), (Action::Update, &["1".to_owned()][..]));
    assert_eq!(updated.use_changes, ["-doc%"]);
    let said = builder.gbsup(&["why", "test-quick/t2"]).ok();
    assert!(said.contains("the slot or sub-slot of test-quick/t1-2 changes"), "{said}");

    builder.sh("mkdir -p /etc/portage/package.use; echo 'test-quick/t3 doc' >/etc/portage/package.use/test");
    sync(&mut builder, 3);
    let switched = plan(&mut builder, 3);
    let [package] = switched.packages.as_slice() else { panic!("{switched:#?}") };
    assert_eq!((package.cpv.as_str(), package.action), ("test-quick/t3-2", Action::Reinstall));
    assert_eq!(package.use_changes, ["doc*"]);
    assert_eq!(package.why, [Reason::UseChanged, Reason::Target]);
    assert!(builder.gbsup(&["plan"]).ok().contains("USE changed: doc*"));

    // Nothing is left, so nothing is built, and everybody agrees on that.
    sync(&mut builder, 4);
    assert_eq!(plan(&mut builder, 4), Plan::default());
    assert!(!builder.steps(4).contains(&"build".to_owned()));
    assert_eq!(builder.gbsup(&["plan", "--now"]).ok(), "");
    builder.gbsup(&["why", "t3"]).exited(1);
    builder.assert_tidy();
}

#[test]
fn what_cannot_be_resolved_pauses_before_anything_is_compiled() {
    // An atom of the world file whose dependencies are not to be had is passed over, a target is not.
    let targets = "[build]\ntargets = [\"@world\", \"test-fail/missing-dep\"]\n";
    let mut builder = Recipe::new(&["test-quick/t1"]).config(targets).start();
    let status = builder.wait_paused();
    assert_eq!(status.step, "plan");
    let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    assert_eq!(failure.class, Class::MissingPackage);
    assert_eq!(failure.package.as_deref(), Some("test-none/gone"), "{failure:#?}");
    let words = failure.evidence.join("\n");
    assert!(words.contains("test-fail/missing-dep"), "who needs it is named: {words}");
    assert_eq!(builder.compiled(), [""; 0]);
    assert!(!builder.steps(1).contains(&"build".to_owned()));
    assert!(builder.gbsup(&["plan"]).exited(1).contains("nothing is planned yet"));

    // The repair is tried before the builder is told of it.
    let said = builder.gbsup(&["plan", "--now"]);
    assert!(said.out.contains("test-fail/missing-dep"), "{}", said.out);
    assert!(said.exited(1).contains("test-none/gone: nothing in the repositories satisfies it"));
    builder.sh("mkdir -p /etc/portage/profile; echo test-none/gone-1 >/etc/portage/profile/package.provided");
    assert!(builder.gbsup(&["plan", "--now"]).ok().contains("test-fail/missing-dep-1"));
    builder.sh("echo test-none/lost >>/var/lib/portage/world");
    let said = builder.gbsup(&["plan", "--now"]).exited(5);
    assert!(said.contains("masked or gone from the tree: test-none/lost"), "{said}");
    let updates = "/var/db/repos/pocket/profiles/updates";
    builder.sh(&format!("mkdir {updates} && echo 'move test-none/lost test-quick/t9' >{updates}/4Q-2026"));
    let said = builder.gbsup(&["plan", "--now"]).exited(5);
    builder.sh(&format!("rm -r {updates}"));
    assert!(said.contains("has renamed it to test-quick/t9 (change /var/lib/portage/world"), "{said}");
    assert_eq!(builder.compiled(), [""; 0], "asking builds nothing");
    builder.resume();
    let status = builder.wait_waiting();
    let mut compiled = builder.compiled();
    compiled.sort();
    assert_eq!(compiled, ["test-fail/missing-dep-1", "test-quick/t1-1"]);
    assert!(status.headline.contains("everything else is up to date"), "{}", status.headline);
}
