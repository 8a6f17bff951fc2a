//! What Portage calls an invalid binary package is looked at once more: only what gbsup's own verifier finds damaged is
//! damaged. Why it cannot be used otherwise is told with what to type; see [`unusable`](crate::portage::files::unusable).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::places::found;
use crate::beneath::Beneath;
use crate::binhost::examine::Examiner;
use crate::binhost::trust::Trust;
use crate::model::failure::{Class, Failure};
use crate::portage::files::gpkg::{self, Damage, Reading};
use crate::portage::files::make_conf::decompressor;
use crate::portage::files::settings::Settings;
use crate::portage::files::signatures::Signatures;
use crate::portage::files::unusable::{Advice, Reason, advice, sentence};
use crate::portage::output::buildlog::BuildLog;
use crate::portage::output::gpg::Doubt;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::problem::Problem;
use crate::portage::output::scanner::Evidence;

/// Packages shown of those that cannot be used.
const SHOWN: usize = 20;
/// Gentoo's helper for the keys of its own binhost (PORTAGE_TRUST_HELPER in make.conf(5)).
const GETUTO: &str = "getuto";

/// Whether a file that Portage refused with these words is damaged, and why it cannot be used otherwise. A file that
/// cannot be read says nothing for itself.
pub(crate) fn examine(path: &Path, words: &str, signatures: &Signatures) -> Result<Reason, Damage> {
    // Whoever printed the path may mean a pipe.
    let (directory, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    let open = || {
        let file = Beneath::open(directory)?.linked(name)?;
        io::Result::Ok((file.metadata()?.len(), file))
    };
    let (length, file) = open()?;
    let mut examiner = Examiner::default();
    let other = || Ok(Reason::Other(words.to_owned()));
    if !path.to_string_lossy().ends_with(".gpkg.tar") {
        examiner.xpak(&file, length)?;
        return other();
    }
    let sound = match examiner.gpkg(&file, length).and_then(Reading::verify) {
        Err(Damage::Uncompressed) => return Ok(Reason::Uncompressed),
        looked => looked?,
    };
    let (length, file) = open()?;
    for name in gpkg::names(file, length)? {
        if let Some((program, package)) = decompressor(&name).filter(|(program, _)| !found(program)) {
            return Ok(Reason::Program { program: program.to_owned(), package: package.to_owned() });
        }
    }
    if !sound.is_signed {
        return other();
    }
    let of_keys = words.contains("GnuPG") || words.contains("ignature");
    match Trust::in_pkgdir(signatures) {
        Trust::Checked { ring, .. } => {
            let (length, file) = open()?;
            match examiner.gpkg(&file, length)?.judge(file, &ring, false) {
                Err(Damage::Signature(doubt @ (Doubt::Bad | Doubt::Unsigned))) => {
                    Err(Damage::Signature(doubt))
                }
                Err(Damage::Signature(doubt)) => Ok(Reason::Key(doubt)),
                Err(damage) => Err(damage),
                // It is good by the key that this Portage signs with, which its own check does not know.
                Ok(_) if of_keys => Ok(Reason::NoKey),
                Ok(_) => other(),
            }
        }
        Trust::Unable(_) if of_keys => Ok(Reason::NoKey),
        Trust::Unable(_) | Trust::Ignored => other(),
    }
}

/// What stops a builder that has such packages: each reason is told, the first one with what to type.
pub(crate) fn failure(refused: &[(PathBuf, Reason)], settings: &Settings) -> Option<Failure> {
    let (first, reason) = refused.first()?;
    let Advice { words, commands } = advised(reason, &settings.signatures, first);
    let name = |path: &Path| path.strip_prefix(&settings.pkgdir).unwrap_or(path).to_path_buf();
    let same = refused.iter().filter(|(_, other)| kind(other) == kind(reason));
    let same: Vec<PathBuf> = same.map(|(path, _)| name(path)).collect();
    let line = |(path, reason): &(PathBuf, Reason)| {
        format!("{}: {}", name(path).display(), advised(reason, &settings.signatures, path).words)
    };
    let mut evidence: Vec<String> = refused.iter().take(SHOWN).map(line).collect();
    if refused.len() > SHOWN {
        evidence.push(format!("and {} more", refused.len() - SHOWN));
    }
    let message = sentence(&same, &words);
    Some(Failure { evidence, suggestions: commands, ..Failure::new(Class::BinpkgUnusable, message) })
}

/// Looks at every package that emerge refused in a run, so that what is whole is not called damaged.
pub(crate) fn look_at(
    evidence: &mut Evidence,
    logs: &mut BTreeMap<String, BuildLog>,
    signatures: impl FnOnce() -> Option<Signatures>,
) {
    let is_one = |problem: &Problem| {
        let subject = problem.subject.as_deref().unwrap_or_default();
        problem.kind == ProblemKind::Binpkg && subject.starts_with('/')
    };
    let all = evidence.problems.iter_mut().chain(logs.values_mut().flat_map(|log| &mut log.problems));
    let mut refused: Vec<&mut Problem> = all.filter(|problem| is_one(problem)).collect();
    let Some(signatures) = (!refused.is_empty()).then(signatures).flatten() else { return };
    for problem in &mut refused {
        let path = PathBuf::from(problem.subject.clone().unwrap_or_default());
        let words = problem.lines.join(" ");
        if let Ok(reason) = examine(&path, &words, &signatures) {
            // With Portage's words alone nothing is known that it did not say.
            if !matches!(reason, Reason::Other(_)) {
                let Advice { words, commands } = advised(&reason, &signatures, &path);
                problem.kind = ProblemKind::Unusable;
                problem.lines.insert(0, sentence(&[path], &words));
                problem.remedy = commands;
            }
        }
    }
}

fn advised(reason: &Reason, signatures: &Signatures, file: &Path) -> Advice {
    advice(reason, signatures, found(GETUTO), file)
}

/// What packages have in common that one command helps.
fn kind(reason: &Reason) -> String {
    match reason {
        Reason::Program { program, .. } => program.clone(),
        Reason::Uncompressed => "uncompressed".to_owned(),
        Reason::Key(_) | Reason::NoKey => "key".to_owned(),
        Reason::Other(words) => words.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::portage::files::gpkg::sign::tests as signing;
    use crate::portage::files::signatures::Demand;

    const GOOD: &[u8] = include_bytes!("../../tests/captured/t1-1-1.gpkg.tar");

    #[test]
    fn only_what_the_verifier_finds_damaged_is_damaged() {
        let place = tempfile::tempdir().unwrap();
        let signatures =
            Signatures { demand: Demand::WhereThere, home: place.path().join("none"), own: None };
        let path = place.path().join("x-1-1.gpkg.tar");
        let look = |content: &[u8], words: &str| {
            fs::write(&path, content).unwrap();
            examine(&path, words, &signatures)
        };
        let refused = "GnuPG verification failed";
        assert!(look(&GOOD[..GOOD.len() / 2], refused).is_err());
        assert!(matches!(look(b"", refused), Err(Damage::Empty)));
        // Here zstd may be installed or not: what is told of the file is no damage either way.
        assert!(look(GOOD, "odd").is_ok());
        let signed = signing::signed(GOOD).unwrap();
        let told = look(&signed, refused).unwrap();
        assert!(matches!(told, Reason::NoKey | Reason::Program { .. }), "{told:?}");
        fs::remove_file(&path).unwrap();
        assert!(matches!(examine(&path, refused, &signatures), Err(Damage::Unreadable(_))));
    }
}
