//! Who may have a builder at work, and who is next.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::costs;

/// The tests that take the longest, the longest first. They begin first, so that in the end nobody waits for one of them alone.
const LONG: &[&str] = &[
    "soak::twenty_rounds_and_an_oracle_that_sees",
    "cycle::a_fresh_volume_gets_the_world_and_new_containers_and_clients_take_it_from_there",
    "survival::a_supervisor_that_hangs_is_started_again_and_goes_on",
    "kinds::the_verdict_is_what_emerge_then_does",
    "major::after_a_major_update_nothing_needs_the_old_version",
    "distcc::only_the_same_compiler_is_given_files_and_a_frozen_one_holds_nothing_up",
    "helpers::files_go_to_helpers_and_a_frozen_one_holds_nothing_up",
    "kill::at_twenty_moments_it_goes_on_and_loses_nothing",
    "remedy::two_rings_at_once_are_broken_and_nothing_odd_is_packaged",
    "trees::whatever_kills_a_sync_the_next_one_brings_all",
    "survival::a_supervisor_that_is_stopped_goes_on_with_its_build",
    "remedy::freetype_and_harfbuzz_are_untangled",
    "pages::what_the_pages_show_is_what_one_sees",
    "audit::what_is_broken_is_built_anew_and_what_stays_so_is_held_back",
    "plain::a_killed_sync_leaves_the_tree_of_before_or_the_next",
    "shapes::each_kind_of_dependency_whichever_of_its_packages_fails",
    "config::each_fault_of_the_configuration_stops_or_is_told",
    "whole::a_key_or_a_program_that_goes_during_a_cycle_damages_nothing",
    "stall::what_hangs_is_stopped_and_what_works_is_let_alone",
    "crash::killed_at_any_moment_of_publishing",
    "classes::resolver",
    "sync::a_clone_cut_short_is_made_good_and_a_dead_repository_makes_no_other_old",
    "audit::what_links_to_a_library_of_another_version_is_told_and_built_anew_where_that_is_wanted",
    "clients::who_has_other_flags_gets_a_build_of_its_own",
    "forecast::the_phase_is_known_with_and_without_emerge_saying_it",
];

/// The right to have a builder at work. One more than there are CPUs, since now and then each waits for a disk or for the
/// test; and no more, so that each of them gets on.
pub struct Slot;

struct Queue {
    free: usize,
    /// Who waits, the next one first: rank and number. Who lent a slot comes before all others, then the tests of [`LONG`].
    waiting: BTreeSet<(usize, u64)>,
    number: u64,
}

static QUEUE: Mutex<Option<Queue>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

impl Queue {
    fn new() -> Self {
        let asked = std::env::var("GBSUP_TEST_BUILDERS").ok().and_then(|text| text.parse().ok());
        let usual = || std::thread::available_parallelism().map_or(2, |cpus| cpus.get() + 1);
        Self { free: asked.unwrap_or_else(usual), waiting: BTreeSet::new(), number: 0 }
    }
}

impl Slot {
    /// Waits for one.
    pub fn take() -> Self {
        let test = std::thread::current();
        let place = LONG.iter().position(|&name| test.name() == Some(name));
        Self::take_one(1 + place.unwrap_or(LONG.len()));
        Self
    }

    /// Lets another builder be at work while that of this test does nothing but wait; then waits until it may go on.
    pub fn lend<T>(wait: impl FnOnce() -> T) -> T {
        struct Back;
        impl Drop for Back {
            fn drop(&mut self) {
                Slot::take_one(0);
            }
        }
        Self::give_one();
        let _back = Back;
        wait()
    }

    fn take_one(rank: usize) {
        let mut queue = lock();
        let all = queue.get_or_insert_with(Queue::new);
        let me = (rank, all.number);
        all.number += 1;
        all.waiting.insert(me);
        let is_next = |all: &Queue| all.free > 0 && all.waiting.first() == Some(&me);
        let wait = || {
            let waited = CHANGED.wait_while(queue, |queue| queue.as_ref().is_some_and(|all| !is_next(all)));
            waited.unwrap_or_else(PoisonError::into_inner)
        };
        let mut queue = costs::waiting(wait);
        if let Some(all) = queue.as_mut() {
            all.waiting.remove(&me);
            all.free -= 1;
        }
        drop(queue);
        // One more may be free.
        CHANGED.notify_all();
    }

    fn give_one() {
        if let Some(all) = lock().as_mut() {
            all.free += 1;
        }
        CHANGED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Option<Queue>> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Slot {
    fn drop(&mut self) {
        Self::give_one();
    }
}
