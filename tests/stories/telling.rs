//! What the server is told beside the status: what is left, and words that pass with time.

use gbsup::decide::view;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::status::Mode;
use gbsup::model::{Report, Step};
use gbsup::portage::output::scanner::{Listed, Progress};

use crate::story::{Story, completed, cpv, emerging, planned};

fn left(story: &Story) -> Vec<String> {
    view::still_to_merge(&story.state).into_iter().map(|left| left.package).collect()
}

#[test]
fn what_is_left_is_the_plan_and_then_what_emerge_lists() {
    let mut story = Story::begin(|_| {});
    assert_eq!(left(&story), [""; 0]);
    story.through(Step::SelfUpdate);
    story.end(planned(&["a", "b", "c", "d"]));
    assert_eq!(left(&story), ["a", "b", "c", "d"].map(|name| cpv(name).to_string()));
    assert_eq!(story.running(), Step::Build);
    // In its own order; of what the plan has it is known why.
    let list = ["c", "a", "b", "d", "new"].map(|name| Listed { package: cpv(name), binary: false }).to_vec();
    story.print(Progress::Planned { total: 5, list });
    story.print(emerging("c"));
    story.print(completed("c"));
    story.print(emerging("a"));
    assert_eq!(left(&story), ["b", "d", "new"].map(|name| cpv(name).to_string()));
    let told = view::still_to_merge(&story.state);
    assert!(!told[0].why.is_empty() && told[2].why.is_empty(), "{told:?}");

    // A pause in the middle: neither what is done nor what failed is left.
    let failure = |name: &str, class| Failure {
        package: Some(cpv(name).to_string()),
        ..Failure::new(class, "no luck")
    };
    story.end(Report::Failed(Box::new(failure("b", Class::Compile))));
    for step in [Step::Rebuild, Step::Audit, Step::Publish] {
        assert_eq!(left(&story), [""; 0], "{step:?}");
        story.through(step);
    }
    story.expect(Mode::Paused, "no luck");
    assert_eq!(left(&story), ["a", "d"].map(|name| cpv(name).to_string()));
}

#[test]
fn a_status_that_is_read_later_says_what_one_made_later_says() {
    let mut story = Story::begin(|_| {});
    story.through(Step::Prune);
    story.expect(Mode::Waiting, "next sync in 1 d");
    let told = story.status();
    for seconds in [1, 59, 60, 3600, 40_000, 86_000] {
        story.seconds += seconds;
        let later = told.later(story.now().wall);
        assert_eq!(later, story.status(), "after {seconds} s");
    }
    // A clock that was set back changes nothing.
    assert_eq!(told.later(jiff::Timestamp::UNIX_EPOCH), told);
}
