//! Packages that need each other to be built: one of them is built with other USE flags first, as Portage
//! itself suggests, then the rest, and then that one as it should be.
//!
//! What is built with the odd flags is installed and never packaged, and the flags are withdrawn before
//! anything else is built; `--changed-use` of the build that follows puts it right.

use serde::{Deserialize, Serialize};

use super::Step;
use super::failure::Failure;
use super::state::Cycle;
use crate::portage::output::circular::{Circle, Solution};

/// How many circles one cycle may have. Each is met once, unless there is another within it.
const MOST: u32 = 10;

/// A circle that is being broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untangling {
    /// The step that met it, and that is run again afterwards.
    pub at: Step,
    /// What a person is told when it cannot be broken.
    pub failure: Failure,
    /// Portage's words about it.
    pub text: Vec<String>,
    /// It was met while this was being built, to break another one.
    pub within: Option<Solution>,
    /// What is built to break it; nothing while that is being looked for.
    pub solution: Option<Solution>,
}

/// What broke a circle, or was of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untangled {
    /// What was built.
    pub solution: Solution,
    /// It was built and installed.
    pub built: bool,
}

impl Untangling {
    /// What is going on, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.solution {
            Some(solution) => format!(
                "packages need each other; {} is built with USE=\"{}\" first",
                solution.package,
                solution.flags()
            ),
            None => "packages need each other; looking for a way to build one of them first".to_owned(),
        }
    }
}

impl Untangled {
    /// What was done, in one sentence; nothing when it was of no use.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let Solution { package, .. } = &self.solution;
        let flags = self.solution.flags();
        self.built.then(|| {
            format!(
                "{package} was built with USE=\"{flags}\" for a while, because packages needed each other"
            )
        })
    }
}

/// The solution to try next. One more attempt is counted with it.
pub fn next(circle: &Circle, cycle: &mut Cycle) -> Option<Solution> {
    let solution = circle.solution(&tried(cycle)).filter(|_| cycle.circles < MOST)?;
    cycle.circles += 1;
    Some(solution.clone())
}

fn tried(cycle: &Cycle) -> Vec<Solution> {
    cycle.untangled.iter().map(|past| past.solution.clone()).collect()
}

/// What the builder would do about a circle, when it is met in a rehearsal; nothing when only a person can do
/// something.
#[must_use]
pub fn ahead(circle: &Circle) -> Option<String> {
    let solution = circle.solution(&[])?;
    Some(format!(
        "{}; the builder breaks that by itself and builds {} with USE=\"{}\" first, and what else there is to build \
         is known after that",
        circle.complaint(),
        solution.package,
        solution.flags()
    ))
}

/// What a person is told: the circle by name, and what was tried.
#[must_use]
pub fn given_up(mut failure: Failure, circle: &Circle, cycle: &Cycle) -> Failure {
    if !circle.packages.is_empty() {
        failure.message = circle.complaint();
        if let Some(log) = failure.log.as_deref().filter(|_| circle.solution(&tried(cycle)).is_none()) {
            failure.suggestions = circle.ways_out(log);
        }
    }
    for past in &cycle.untangled {
        let solution = &past.solution;
        failure.evidence.push(format!(
            "tried in vain: {} with USE=\"{}\"",
            solution.package,
            solution.flags()
        ));
    }
    failure
}
