//! The source as a graph: which file names what of which other one, and what of other crates.
//!
//! Files are parsed. Names are followed through imports and re-exports to the file that defines them, so that a facade
//! depends on nothing by its `pub use`. What is compiled for tests alone is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// The way from the root of the crate to a module or to what is in it.
type Way = Vec<String>;

/// A module: where it is, and what its names mean.
#[derive(Default)]
struct Module {
    file: String,
    defines: BTreeSet<String>,
    /// Imported names, each with the way that was written.
    imports: BTreeMap<String, Way>,
    globs: Vec<Way>,
    /// Ways that are named in it, as they are written, but for re-exports of its own children.
    names: BTreeSet<Way>,
}

/// All modules of the crate.
pub(crate) struct Source {
    modules: BTreeMap<Way, Module>,
    files: BTreeSet<String>,
}

/// Files, each with what it depends on.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

impl Source {
    /// Reads every file below `root` but those of tests.
    pub(crate) fn read(root: &Path) -> Self {
        let mut reading = Reading::default();
        for file in super::sources(root) {
            let name = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            reading.file(&file, &name);
        }
        let tests = reading.tests.iter().map(|path| path.strip_prefix(root).unwrap().to_owned());
        let tests: Vec<PathBuf> = tests.collect();
        let is_test = |name: &str| {
            tests
                .iter()
                .any(|test| Path::new(name) == test || Path::new(name).starts_with(test.with_extension("")))
        };
        let modules: BTreeMap<_, _> =
            reading.modules.into_iter().filter(|(_, module)| !is_test(&module.file)).collect();
        let files = modules.values().map(|module| module.file.clone()).collect();
        Self { modules, files }
    }

    /// Every file that is not a test.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Which file depends on which other one.
    pub(crate) fn graph(&self) -> Graph {
        let mut graph: Graph = self.files.iter().map(|file| (file.clone(), BTreeSet::new())).collect();
        for (scope, module) in &self.modules {
            for way in &module.names {
                if let Some(target) = self.definition(scope, way, 0)
                    && target != module.file
                {
                    graph.entry(module.file.clone()).or_default().insert(target);
                }
            }
        }
        graph
    }

    /// Ways that begin in another crate, or with a type, as they are written after imports were followed; and `.method` for each method that is called.
    pub(crate) fn foreign(&self, file: &str) -> BTreeSet<String> {
        let mine = self.modules.iter().filter(|(_, module)| module.file == file);
        mine.flat_map(|(_, module)| {
            module.names.iter().flat_map(|way| {
                let first = way.first().map(String::as_str).unwrap_or_default();
                let imported = module.imports.get(first).map(|import| {
                    import.iter().chain(&way[1..]).map(String::as_str).collect::<Vec<_>>().join("::")
                });
                [Some(way.join("::")), imported].into_iter().flatten()
            })
        })
        .collect()
    }

    /// The file that defines what this way leads to; none for a module, or for what is outside the crate.
    fn definition(&self, scope: &[String], way: &[String], depth: usize) -> Option<String> {
        assert!(depth < 20, "{way:?} in {scope:?} leads in a circle");
        let first = way.first()?;
        let mut at: Way = match first.as_str() {
            "crate" | "gbsup" => Vec::new(),
            "self" => scope.to_vec(),
            "super" => scope[..scope.len().checked_sub(1)?].to_vec(),
            name => {
                let mut child = scope.to_vec();
                child.push(name.to_owned());
                if self.modules.contains_key(&child) {
                    child
                } else {
                    return self.member(scope, name, &way[1..], depth);
                }
            }
        };
        for (n, name) in way.iter().enumerate().skip(1) {
            if name == "super" {
                at.pop();
                continue;
            }
            at.push(name.clone());
            if !self.modules.contains_key(&at) {
                at.pop();
                return self.member(&at, name, &way[n + 1..], depth);
            }
        }
        None
    }

    /// The file that defines this member of a module, whether it is defined there or only known there.
    fn member(&self, scope: &[String], name: &str, rest: &[String], depth: usize) -> Option<String> {
        let module = self.modules.get(scope)?;
        if module.defines.contains(name) {
            return Some(module.file.clone());
        }
        if let Some(import) = module.imports.get(name) {
            if import.first().map(String::as_str) == Some(name) && import.len() == 1 {
                return None;
            }
            let way: Way = import.iter().chain(rest).cloned().collect();
            return self.definition(scope, &way, depth + 1);
        }
        module.globs.iter().find_map(|glob| {
            let way: Way = glob.iter().cloned().chain([name.to_owned()]).collect();
            self.definition(scope, &way, depth + 1)
        })
    }
}

#[derive(Default)]
struct Reading {
    modules: BTreeMap<Way, Module>,
    /// Files that are compiled for tests alone.
    tests: Vec<PathBuf>,
}

impl Reading {
    fn file(&mut self, path: &Path, name: &str) {
        let text = fs::read_to_string(path).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let mut way: Way =
            Path::new(name).with_extension("").iter().map(|part| part.to_string_lossy().into()).collect();
        if matches!(way.last().map(String::as_str), Some("mod" | "lib")) {
            way.pop();
        }
        self.items(path, name, &way, parsed.items);
    }

    fn items(&mut self, path: &Path, file: &str, way: &Way, items: Vec<Item>) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        for item in items {
            if is_for_tests(attributes(&item)) {
                if let Item::Mod(inner) = &item
                    && inner.content.is_none()
                {
                    self.tests.push(out_of_line(path, &inner.ident.to_string(), &inner.attrs));
                }
                continue;
            }
            module.defines.extend(defined(&item));
            if let Item::Macro(made) = &item {
                declared(made.mac.tokens.clone(), &mut module.defines);
            }
            match item {
                Item::Mod(inner) => {
                    let mut child = way.clone();
                    child.push(inner.ident.to_string());
                    if let Some((_, items)) = inner.content {
                        self.items(path, file, &child, items);
                    }
                }
                Item::Use(import) => {
                    let is_facade = !matches!(import.vis, syn::Visibility::Inherited);
                    let mut found = Vec::new();
                    leaves(&import.tree, &mut Vec::new(), &mut found);
                    for (name, leaf) in found {
                        // Its own children are re-exported, not used.
                        let own =
                            leaf.first().is_some_and(|first| !["crate", "super"].contains(&first.as_str()));
                        if !(is_facade && own) {
                            module.names.insert(leaf.clone());
                        }
                        match name {
                            Some(name) => drop(module.imports.insert(name, leaf)),
                            None => module.globs.push(leaf),
                        }
                    }
                }
                Item::Impl(mut block) => {
                    block.items.retain(|item| match item {
                        syn::ImplItem::Fn(one) => !is_for_tests(&one.attrs),
                        syn::ImplItem::Const(one) => !is_for_tests(&one.attrs),
                        _ => true,
                    });
                    named(block.to_token_stream(), &mut module.names);
                }
                item => named(item.to_token_stream(), &mut module.names),
            }
        }
        self.modules.insert(way.clone(), module);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// Where `mod name;` in this file is.
fn out_of_line(file: &Path, name: &str, attributes: &[Attribute]) -> PathBuf {
    let parent = file.parent().unwrap();
    for attribute in attributes {
        if let Ok(pair) = attribute.meta.require_name_value()
            && pair.path.is_ident("path")
        {
            return parent.join(pair.value.to_token_stream().to_string().trim_matches('"'));
        }
    }
    let is_root = ["mod.rs", "lib.rs", "main.rs"].iter().any(|root| file.ends_with(root));
    let place = if is_root { parent.to_owned() } else { file.with_extension("") };
    let flat = place.join(name).with_extension("rs");
    if flat.exists() { flat } else { place.join(name).join("mod.rs") }
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// What a macro declares, as far as its text or that of its call says so.
fn declared(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let mut after_keyword = false;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                let name = name.to_string();
                if after_keyword {
                    found.insert(name.clone());
                }
                after_keyword =
                    ["struct", "enum", "trait", "type", "const", "static"].contains(&name.as_str());
            }
            TokenTree::Group(group) => {
                after_keyword = false;
                declared(group.stream(), found);
            }
            _ => after_keyword = false,
        }
    }
}

/// The names that an import brings, each with its way; a glob brings none.
fn leaves(tree: &UseTree, before: &mut Way, found: &mut Vec<(Option<String>, Way)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, found);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned(), before.clone()));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push((Some(name.clone()), before.iter().cloned().chain([name]).collect()));
        }
        UseTree::Rename(rename) => {
            let mut way = before.clone();
            if rename.ident != "self" {
                way.push(rename.ident.to_string());
            }
            found.push((Some(rename.rename.to_string()), way));
        }
        UseTree::Glob(_) => found.push((None, before.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, found)),
    }
}

/// Every way that is named in code, in macros as well: `a::b`, `a::{b, c}`; and `.method` where it is called. What follows two dots, as in
/// `..base` or `0..end`, is no method.
fn named(tokens: TokenStream, found: &mut BTreeSet<Way>) {
    fn ways(tokens: TokenStream, before: &Way, found: &mut BTreeSet<Way>) {
        let mut way: Way = before.clone();
        let mut after_colons = !before.is_empty();
        let (mut dots, mut colons) = (0, 0);
        // What follows a dot: a method if it is called, otherwise a field.
        let mut member: Option<String> = None;
        for token in tokens {
            let called = match &token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Parenthesis,
                TokenTree::Punct(sign) => sign.as_char() == ':',
                _ => false,
            };
            if let Some(member) = member.take().filter(|_| called) {
                found.insert(vec![format!(".{member}")]);
            }
            match token {
                TokenTree::Ident(name) => {
                    if !after_colons {
                        finish(&mut way, before, found);
                    }
                    if dots == 1 {
                        member = Some(name.to_string());
                    } else {
                        way.push(name.to_string());
                    }
                    (after_colons, dots, colons) = (false, 0, 0);
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => {
                    colons += 1;
                    after_colons = colons == 2 && !way.is_empty();
                    dots = 0;
                }
                TokenTree::Group(group) => {
                    if after_colons && group.delimiter() == Delimiter::Brace {
                        ways(group.stream(), &way, found);
                        way.clone_from(before);
                    } else {
                        finish(&mut way, before, found);
                        ways(group.stream(), &Vec::new(), found);
                    }
                    (after_colons, dots, colons) = (false, 0, 0);
                }
                other => {
                    finish(&mut way, before, found);
                    let is_dot = matches!(&other, TokenTree::Punct(sign) if sign.as_char() == '.');
                    dots = if is_dot { dots + 1 } else { 0 };
                    (after_colons, colons) = (!before.is_empty(), 0);
                }
            }
        }
        finish(&mut way, before, found);
    }
    fn finish(way: &mut Way, before: &Way, found: &mut BTreeSet<Way>) {
        if way.len() > before.len() {
            found.insert(std::mem::replace(way, before.clone()));
        }
    }
    ways(tokens, &Vec::new(), found);
}

/// Files that depend on each other, each circle in order; those that stand alone are none.
pub(crate) fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in graph.keys() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = vec![file];
        while let Some(at) = open.pop() {
            for next in graph.get(at).into_iter().flatten() {
                if seen.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        reach.insert(file, seen);
    }
    let mut circles = BTreeSet::new();
    for (file, seen) in &reach {
        let circle: Vec<String> = seen
            .iter()
            .filter(|other| reach[**other].contains(file))
            .map(|name| (*name).to_owned())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}
