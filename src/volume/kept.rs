//! Files that outlive versions: a file is read as far as this version understands it, and what it does not understand is
//! written back as it was.
//!
//! It works on the JSON and not on the types, so that it holds for every part of a file, those to come among them. What
//! was read is remembered in two forms: as the file had it, and as this version would have written it. Whatever is the
//! same as then, part by part, is written as the file had it; what has changed is written as this version has it, with the
//! fields beside it that are not known.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

/// A file that has to be repaired in more places is none of ours.
const MOST: u32 = 10_000;

/// By which fields a part of a file is known again: with another value in one of them it is another part, and nothing that
/// was said of the old one is true of it.
const IDENTITY: &[&str] = &["id", "package", "cpv", "why", "failures"];

/// What stands in a file for a value that is not understood: by the names that lead there, with dots between them and
/// without the places in lists (`known.class`), and the value. Nothing: it is left out as if it were not there.
pub(crate) type Instead = fn(&str, &Value) -> Option<Value>;

/// What was read.
#[derive(Debug)]
pub struct Reading<T> {
    /// As far as it is understood.
    pub value: T,
    /// What is needed to write it back.
    pub kept: Kept,
    /// The values that are not understood, by the names that lead there; fields that are not known are none of them.
    pub foreign: Vec<String>,
}

/// What a file holds besides what this version knows. Nothing, as a rule.
#[derive(Debug, Default)]
pub struct Kept(Option<Whole>);

/// A file before it was changed.
#[derive(Debug)]
struct Whole {
    /// As it was in the file, without what is in `aside`.
    was: Value,
    /// As this version would have written it.
    read: Value,
    /// Elements of lists that are not understood, by their lists.
    aside: Vec<(Vec<Key>, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Name(String),
    Index(usize),
}

/// Reads a file.
///
/// # Errors
/// When it is not JSON, or is not understood even when all is left out that may be.
pub fn read<T: Serialize + DeserializeOwned>(
    text: &[u8],
    instead: Instead,
) -> Result<Reading<T>, serde_json::Error> {
    let mut file = File::new(serde_json::from_slice(text)?, instead);
    let first = |value: &Value| {
        let error = serde_path_to_error::deserialize::<_, T>(value).err()?;
        Some(resolve(error.path(), value))
    };
    loop {
        match serde_path_to_error::deserialize::<_, T>(&file.understood) {
            Ok(value) => {
                let read = serde_json::to_value(&value)?;
                let File { was, aside, foreign, .. } = file;
                let kept = (was != read || !aside.is_empty()).then_some(Whole { was, read, aside });
                return Ok(Reading { value, kept: Kept(kept), foreign });
            }
            Err(error) => {
                let fault = resolve(error.path(), &file.understood);
                let at = file.locate(fault, &first);
                if !file.repair(at) {
                    return Err(error.into_inner());
                }
            }
        }
    }
}

impl Kept {
    /// What to write for a value that was made of the one that was read.
    ///
    /// # Errors
    /// When the value cannot be JSON.
    pub fn restore(&mut self, value: &impl Serialize) -> serde_json::Result<Value> {
        let now = serde_json::to_value(value)?;
        let Some(Whole { was, read, aside }) = self.0.take() else { return Ok(now) };
        let mut merging = Merging { aside, used: Vec::new() };
        let was = merging.merge(&was, &read, now.clone(), &mut Vec::new());
        let aside = merging.used;
        let mut file = was.clone();
        for (list, element) in &aside {
            if let Some(Value::Array(list)) = find(&mut file, list) {
                list.push(element.clone());
            }
        }
        self.0 = Some(Whole { was, read: now, aside });
        Ok(file)
    }

    /// Whether everything in the file was understood.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

// --- Reading ------------------------------------------------------------------------------------------

/// A file that is made to be understood.
struct File {
    was: Value,
    understood: Value,
    instead: Instead,
    aside: Vec<(Vec<Key>, Value)>,
    foreign: Vec<String>,
    /// How far each place was repaired.
    tried: BTreeMap<Vec<Key>, u8>,
    repairs: u32,
}

impl File {
    fn new(was: Value, instead: Instead) -> Self {
        let understood = was.clone();
        Self {
            was,
            understood,
            instead,
            aside: Vec::new(),
            foreign: Vec::new(),
            tried: BTreeMap::new(),
            repairs: 0,
        }
    }

    /// Where the fault is: among the entries of a map it is found by trying each alone. `first` tells the first fault of a
    /// file.
    fn locate(&mut self, fault: Fault, first: &impl Fn(&Value) -> Option<Fault>) -> Vec<Key> {
        let Fault { at, among } = fault;
        if !among {
            return at;
        }
        let Some(Value::Object(entries)) = find(&mut self.understood, &at).map(|map| map.clone()) else {
            return at;
        };
        let mut found = None;
        for (key, value) in &entries {
            self.repairs += 1;
            self.put(&at, Map::from_iter([(key.clone(), value.clone())]));
            if let Some(fault) = first(&self.understood)
                && fault.at.len() > at.len()
                && fault.at.starts_with(&at)
            {
                found = Some(self.locate(fault, first));
                break;
            }
        }
        self.put(&at, entries);
        found.unwrap_or(at)
    }

    fn put(&mut self, at: &[Key], entries: Map<String, Value>) {
        if let Some(map) = find(&mut self.understood, at) {
            *map = Value::Object(entries);
        }
    }

    /// Changes something so that the value there may be understood; false when nothing is left to try.
    fn repair(&mut self, mut at: Vec<Key>) -> bool {
        self.repairs += 1;
        if self.repairs > MOST {
            return false;
        }
        while !at.is_empty() {
            let tried = self.tried.entry(at.clone()).or_default();
            *tried += 1;
            let tried = *tried;
            let way = names(&at);
            let name = way.join(".");
            let Some(value) = find(&mut self.understood, &at) else { return false };
            let known = if tried == 1 { (self.instead)(&name, value) } else { None };
            match (tried, known) {
                // The same word may be there a thousand times.
                (1, Some(known)) => {
                    let this = value.clone();
                    everywhere(&mut self.understood, &way, &this, &known);
                }
                (1 | 2, _) if !value.is_null() => *value = Value::Null,
                (1..=3, _) => self.leave_out(&at),
                _ => {
                    at.pop();
                    continue;
                }
            }
            if !self.foreign.contains(&name) {
                self.foreign.push(name);
            }
            return true;
        }
        false
    }

    /// Takes a value out of the list or the object it is in.
    fn leave_out(&mut self, at: &[Key]) {
        let Some((key, parent)) = at.split_last() else { return };
        match (key, find(&mut self.understood, parent)) {
            (Key::Name(name), Some(Value::Object(fields))) => {
                fields.remove(name);
            }
            (Key::Index(index), Some(Value::Array(list))) if *index < list.len() => {
                list.remove(*index);
                // In a list within another one it goes with the element that it is a part of.
                if parent.iter().all(|key| matches!(key, Key::Name(_)))
                    && let Some(Value::Array(list)) = find(&mut self.was, parent)
                    && *index < list.len()
                {
                    self.aside.push((parent.to_vec(), list.remove(*index)));
                }
                // The next element has this place now.
                self.tried.retain(|path, _| path.len() <= parent.len() || !path.starts_with(parent));
            }
            _ => {}
        }
    }
}

/// What a path leads to.
struct Fault {
    /// The deepest value that is known to have the fault in it.
    at: Vec<Key>,
    /// That is a map, and which of its entries has the fault is not said.
    among: bool,
}

/// Where the path leads. In a map whose keys are words of an enum it has no names, neither for a key that is not known nor
/// for a value behind one that is (`Segment::Unknown`); an only entry is the one that is meant.
fn resolve(path: &serde_path_to_error::Path, value: &Value) -> Fault {
    let mut at = Vec::new();
    let mut here = value;
    let mut among = false;
    for segment in path {
        let (key, deeper) = match (segment, here) {
            (Segment::Seq { index }, _) => (Key::Index(*index), here.get(index)),
            (Segment::Map { key } | Segment::Enum { variant: key }, _) => {
                (Key::Name(key.clone()), here.get(key))
            }
            (Segment::Unknown, Value::Object(entries)) => {
                among = entries.len() > 1;
                let Some((key, deeper)) = entries.iter().next().filter(|_| !among) else { break };
                (Key::Name(key.clone()), Some(deeper))
            }
            (Segment::Unknown, _) => break,
        };
        let Some(deeper) = deeper else { break };
        at.push(key);
        here = deeper;
    }
    Fault { at, among }
}

fn names(at: &[Key]) -> Vec<&str> {
    let names = at.iter().filter_map(|key| match key {
        Key::Name(name) => Some(name.as_str()),
        Key::Index(_) => None,
    });
    names.collect()
}

/// Puts another value in the place of this one wherever these names lead to it, through whatever lists.
fn everywhere(value: &mut Value, names: &[&str], this: &Value, other: &Value) {
    match (value, names) {
        (value, []) if value == this => *value = other.clone(),
        (Value::Array(list), _) => list.iter_mut().for_each(|value| everywhere(value, names, this, other)),
        (Value::Object(fields), [name, rest @ ..]) => {
            if let Some(value) = fields.get_mut(*name) {
                everywhere(value, rest, this, other);
            }
        }
        _ => {}
    }
}

fn find<'a>(mut value: &'a mut Value, at: &[Key]) -> Option<&'a mut Value> {
    for key in at {
        value = match key {
            Key::Name(name) => value.get_mut(name)?,
            Key::Index(index) => value.get_mut(index)?,
        };
    }
    Some(value)
}

// --- Writing ------------------------------------------------------------------------------------------

struct Merging {
    aside: Vec<(Vec<Key>, Value)>,
    /// Those of `aside` whose lists are still there.
    used: Vec<(Vec<Key>, Value)>,
}

impl Merging {
    fn merge(&mut self, was: &Value, read: &Value, now: Value, at: &mut Vec<Key>) -> Value {
        if *read == now {
            self.used.extend(self.aside.extract_if(.., |(list, _)| list.starts_with(at)));
            return was.clone();
        }
        match (was, read, now) {
            (Value::Object(was), Value::Object(read), Value::Object(now))
                if at.is_empty() || is_same(read, &now) =>
            {
                Value::Object(self.objects(was, read, now, at))
            }
            (Value::Array(was), Value::Array(read), Value::Array(now)) => {
                self.used.extend(self.aside.extract_if(.., |(list, _)| list == at));
                if was.len() != read.len() {
                    return Value::Array(now);
                }
                Value::Array(self.lists(was, read, now, at))
            }
            (_, _, now) => now,
        }
    }

    fn objects(
        &mut self,
        was: &Map<String, Value>,
        read: &Map<String, Value>,
        now: Map<String, Value>,
        at: &mut Vec<Key>,
    ) -> Map<String, Value> {
        let mut merged = Map::new();
        for (name, now) in now {
            at.push(Key::Name(name));
            let Some(Key::Name(name)) = at.last().cloned() else { continue };
            let now = match (was.get(&name), read.get(&name)) {
                (Some(was), Some(read)) => self.merge(was, read, now, at),
                _ => now,
            };
            at.pop();
            merged.insert(name, now);
        }
        for (name, was) in was {
            if !read.contains_key(name) && !merged.contains_key(name) {
                merged.insert(name.clone(), was.clone());
            }
        }
        merged
    }

    fn lists(&mut self, was: &[Value], read: &[Value], now: Vec<Value>, at: &mut Vec<Key>) -> Vec<Value> {
        let mut merged = Vec::with_capacity(now.len());
        for (index, now) in now.into_iter().enumerate() {
            let known = if read.get(index) == Some(&now) { Some(index) } else { same_as(&now, read) };
            let Some((was, read)) = known.and_then(|known| Some((was.get(known)?, read.get(known)?))) else {
                merged.push(now);
                continue;
            };
            at.push(Key::Index(index));
            merged.push(self.merge(was, read, now, at));
            at.pop();
        }
        merged
    }
}

/// The element of a list that is this one, as it is or as it was.
fn same_as(now: &Value, list: &[Value]) -> Option<usize> {
    let fields = now.as_object()?;
    let equal = list.iter().position(|element| element == now);
    equal.or_else(|| {
        list.iter().position(|element| {
            element.as_object().is_some_and(|element| {
                is_same(element, fields) && IDENTITY.iter().any(|name| element.contains_key(*name))
            })
        })
    })
}

fn is_same(read: &Map<String, Value>, now: &Map<String, Value>) -> bool {
    IDENTITY.iter().all(|name| match (read.get(*name), now.get(*name)) {
        (Some(read), Some(now)) => read == now,
        _ => true,
    })
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
