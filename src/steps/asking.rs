//! What Portage is asked about itself and its configuration.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use super::answers::{Ahead, Known, Lasting, MadeOf};
use super::task::Task;
use crate::host::configuration::Ask;
use crate::host::output::Capture;
use crate::host::places::databases;
use crate::host::seen::Seen;
use crate::host::{configuration, installed};
use crate::model::Exit;
use crate::model::failure::Trouble;
use crate::portage::command::{self, Command, Said};
use crate::portage::files::settings::{self, Settings};
use crate::portage::names::cpv::Cpv;

/// What the log says of an answer that is not asked for again.
const LASTING: &str = "the answer of before: nothing that it depends on has changed since";

impl Ask for Task {
    fn ask(&mut self, question: &Command) -> Result<Vec<u8>, Trouble> {
        Task::ask(self, question)
    }

    fn ask_unless_same(&mut self, question: &Command, made_of: Vec<PathBuf>) -> Result<Vec<u8>, Trouble> {
        self.capture_unless_same(question, made_of).map(|(_, text)| text)
    }
}

impl Task {
    /// What Portage is set to; asked again only when something changed.
    pub(crate) fn settings(&mut self) -> Result<Settings, Trouble> {
        let stamp = configuration::stamp();
        let known = self.known().settings.clone();
        if let Some((_, settings)) = known.filter(|(known, _)| *known == stamp) {
            return Ok(settings);
        }
        let text = self.ask(&command::envvar(&settings::keys()))?;
        let settings = configuration::understood(&text).map_err(|failure| self.logged(*failure))?;
        self.know(&settings);
        Ok(settings)
    }

    /// These are the settings.
    pub(crate) fn know(&self, settings: &Settings) {
        let known = Some((configuration::stamp(), settings.clone()));
        self.known().settings = known;
    }

    /// The Portage that an update would install; asked again only when something changed.
    pub(crate) fn portage_available(&mut self) -> Result<Option<Cpv>, Trouble> {
        let stamp = configuration::stamp();
        let known = self.known().portage.clone();
        if let Some((_, portage)) = known.filter(|(known, _)| *known == stamp) {
            return Ok(Some(portage));
        }
        let text = self.ask(&command::portage_available())?;
        let portage = command::visible(&text);
        self.know_portage(portage.clone());
        Ok(portage)
    }

    /// This is the Portage that an update would install.
    pub(crate) fn know_portage(&self, portage: Option<Cpv>) {
        let known = portage.map(|portage| (configuration::stamp(), portage));
        self.known().portage = known;
    }

    /// The Portage that is installed; nothing when no package owns it.
    pub(crate) fn portage_installed(&mut self) -> Result<Option<Cpv>, Trouble> {
        let mut installed = installed::versions(command::PORTAGE);
        if installed.len() < 2 {
            return Ok(installed.pop());
        }
        // One that was killed while it was replaced. Which of them is the newest knows Portage.
        let (_, text) = self.capture(&command::portage_installed())?;
        Ok(command::visible(&text))
    }

    /// What Portage says of its version; asked again only when another one is installed.
    pub(crate) fn portage_version(&mut self) -> Result<Vec<u8>, Trouble> {
        let installed = self.portage_installed()?;
        let known = self.known().version.clone();
        if let Some((_, text)) = known.filter(|(known, _)| installed.as_ref() == Some(known)) {
            return Ok(text);
        }
        let text = self.ask(&command::version())?;
        self.known().version = installed.map(|installed| (installed, text.clone()));
        Ok(text)
    }

    /// What Portage says of its repositories; asked again only when something changed.
    pub(crate) fn repos_config(&mut self) -> Result<Vec<u8>, Trouble> {
        let stamp = configuration::stamp();
        let known = self.known().repositories.clone();
        if let Some((_, text)) = known.filter(|(known, _)| *known == stamp) {
            return Ok(text);
        }
        let text = self.ask(&command::repositories())?;
        self.known().repositories = Some((stamp, text.clone()));
        Ok(text)
    }

    /// What was found out about the settings and the repositories may not be so any more.
    pub(crate) fn forget_settings(&mut self) {
        self.ahead = None;
        let mut known = self.known();
        let lasting = std::mem::take(&mut known.lasting);
        *known = Known { lasting, ..Known::default() };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command for its answer, unless it was run before and what it is `made_of` has not changed since.
    pub(crate) fn capture_unless_same(
        &mut self,
        question: &Command,
        made_of: Vec<PathBuf>,
    ) -> Result<(Exit, Vec<u8>), Trouble> {
        let look = Seen::now(made_of).look();
        if let Some((exit, text)) = self.lasting(question, Some(look)) {
            let mut log = self.open_log(&question.typed())?;
            drop(log.write_all(&text));
            self.note(LASTING)?;
            return Ok((exit, text));
        }
        let (exit, text) = self.capture(question)?;
        self.keep(question, exit.clone(), &text, MadeOf::Named(look));
        Ok((exit, text))
    }

    /// What it printed the last time, if that still counts.
    fn lasting(&self, question: &Command, named: Option<u64>) -> Option<(Exit, Vec<u8>)> {
        let mut known = self.known();
        let environment = &self.config.build.environment;
        known.lasting.retain(|one| {
            one.question != *question || (one.environment == *environment && one.made_of.holds(named))
        });
        let found = known.lasting.iter().find(|one| one.question == *question);
        found.map(|one| (one.exit.clone(), one.text.clone()))
    }

    /// Keeps an answer, unless the command did not end by itself.
    fn keep(&self, question: &Command, exit: Exit, text: &[u8], made_of: MadeOf) {
        if !matches!(exit, Exit::Code(_)) || self.handle.stopped() {
            return;
        }
        let environment = self.config.build.environment.clone();
        let (question, text) = (question.clone(), text.to_owned());
        self.known().lasting.push(Lasting { question, environment, made_of, exit, text });
    }

    /// Asks Portage. What a step mostly asks for is asked together, by whichever question comes first.
    pub(crate) fn ask(&mut self, question: &Command) -> Result<Vec<u8>, Trouble> {
        let keys = settings::keys();
        if command::is_asked_together(question, &keys) {
            if self.ahead.is_none() {
                self.ask_ahead(&keys)?;
            }
            if let Some(answer) = self.ahead.as_mut().and_then(|ahead| ahead.take(question)) {
                return Ok(answer);
            }
        }
        self.capture(question).map(|(_, text)| text)
    }

    /// Where Portage has anything else to say, there are no answers, and each question is asked by itself.
    fn ask_ahead(&mut self, keys: &[&str]) -> Result<(), Trouble> {
        let stamp = configuration::stamp();
        let questions = command::questions(keys);
        let began = SystemTime::now();
        let lasting = self.lasting(&questions, None);
        let is_lasting = lasting.is_some();
        let (exit, text) = lasting.unwrap_or_else(|| {
            let mut sink = Capture { file: &mut io::sink(), text: Vec::new() };
            (self.launch().run(&questions, &mut sink).exit, sink.text)
        });
        let Said { answers, read } = command::together(&text, keys).unwrap_or_default();
        if !is_lasting && !answers.is_empty() {
            let made_of = read.into_iter().map(PathBuf::from).chain(databases()).collect();
            if let Some(seen) = Seen::since(began, made_of) {
                self.keep(&questions, exit, &text, MadeOf::Read(seen));
            }
        }
        for (question, answer) in &answers {
            let mut log = self.open_log(&question.typed())?;
            if !question.private {
                drop(log.write_all(answer));
            }
            if is_lasting {
                self.note(LASTING)?;
            }
            // It is of use to later steps as well.
            if *question == command::repositories() {
                self.known().repositories = Some((stamp, answer.clone()));
            }
        }
        self.ahead = Some(Ahead { stamp, answers });
        Ok(())
    }
}
