//! A value on its way from the file or a variable into its field.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Place, Problem};
use super::values::{self, Read, Shown};

/// What is being read: spans of a file, of which there are the name and where its lines end, or a variable, of which there are
/// the name and the text.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    File(&'a str, &'a [usize]),
    Variable(&'a str, &'a str),
}

impl Source<'_> {
    pub(super) fn place(self, span: &Range<usize>) -> Place {
        match self {
            Self::File(name, ends) => {
                Place::Line(name.into(), 1 + ends.partition_point(|end| *end < span.start))
            }
            Self::Variable(name, _) => Place::Variable(name.into()),
        }
    }
}

/// The value of a variable as the text it is.
pub(super) fn words(text: &str) -> Spanned<DeValue<'_>> {
    Spanned::new(0..text.len(), DeValue::String(text.into()))
}

/// A value on its way into its field.
pub(super) struct Slot<'a> {
    pub(super) source: Source<'a>,
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) value: &'a Spanned<DeValue<'a>>,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Slot<'_> {
    pub(super) fn report(&mut self, span: &Range<usize>, reason: String) {
        let key = Some(format!("[{}] {}", self.section, self.key));
        self.problems.push(Problem { place: self.source.place(span), key, reason });
    }

    /// One value. The text of a variable is whatever its key takes: `true` is a name for `notify.name`, and `"4"` a
    /// number for `build.jobs`, since an env-file keeps its quotes. The first reason is told.
    pub(super) fn one<T>(&mut self, read: fn(&DeValue) -> Read<T>, field: &mut T) {
        let value = self.value.get_ref();
        let first = match (read(value), self.source) {
            (Ok(value), _) => return *field = value,
            (Err(reason), Source::File(..)) => return self.report(&self.value.span(), reason),
            (Err(reason), Source::Variable(_, text)) => (reason, text),
        };
        let (reason, text) = first;
        let unquoted = match value {
            DeValue::String(inner) if inner != text => DeValue::parse(inner).ok(),
            _ => None,
        };
        let other = unquoted.and_then(|inner| read(inner.get_ref()).ok());
        match other.map_or_else(|| read(words(text).get_ref()), Ok) {
            Ok(value) => *field = value,
            Err(_) => self.report(&self.value.span(), reason),
        }
    }

    /// A list. In a variable it may be words as in a shell: `GBSUP_BUILD_TARGETS="@world app-misc/hello"`.
    pub(super) fn list<T>(&mut self, read: fn(&DeValue) -> Read<T>, field: &mut Vec<T>) {
        let mut list = Vec::new();
        let text = match (self.value.get_ref(), self.source) {
            (DeValue::Array(elements), _) => {
                for element in elements {
                    match read(element.get_ref()) {
                        Ok(value) => list.push(value),
                        Err(reason) => self.report(&element.span(), reason),
                    }
                }
                return *field = list;
            }
            (DeValue::String(text), Source::Variable(..)) => text.as_ref(),
            (_, Source::Variable(_, text)) => text,
            (other, Source::File(..)) => {
                let reason = values::mismatch("a list in brackets", other);
                return self.report(&self.value.span(), reason);
            }
        };
        let text = text.trim();
        if text.starts_with('[') && text.ends_with(']') {
            let reason = format!("expected words, or a list such as [\"one\", \"two\"], found {text:?}");
            return self.report(&self.value.span(), reason);
        }
        let Some(words) = shlex::split(text) else {
            let reason = format!("a quote or a backslash has no end in {text:?}");
            return self.report(&self.value.span(), reason);
        };
        for word in words {
            match read(&DeValue::String(word.into())) {
                Ok(value) => list.push(value),
                Err(reason) => self.report(&self.value.span(), reason),
            }
        }
        *field = list;
    }

    /// A list of so many at most, in which nothing stands twice.
    pub(super) fn distinct<T: PartialEq + Shown>(
        &mut self,
        most: usize,
        read: fn(&DeValue) -> Read<T>,
        field: &mut Vec<T>,
    ) {
        self.list(read, field);
        let twice = (1..field.len()).find(|n| field[..*n].contains(&field[*n])).map(|n| field[n].shown());
        if let Some(twice) = twice {
            self.report(&self.value.span(), format!("{twice} is there twice"));
        }
        if field.len() > most {
            self.report(&self.value.span(), format!("expected {most} at most, found {}", field.len()));
        }
    }

    /// A list with something in it; `what` is it.
    pub(super) fn some<T>(&mut self, what: &str, read: fn(&DeValue) -> Read<T>, field: &mut Vec<T>) {
        self.list(read, field);
        // An element that was refused has its own message.
        let empty = match self.value.get_ref() {
            DeValue::Array(list) => list.is_empty(),
            DeValue::String(words) => words.trim().is_empty(),
            _ => false,
        };
        if empty {
            self.report(&self.value.span(), format!("expected {what}, found none"));
        }
    }
}
