//! The files of logs: found, opened, copied.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::beneath::{self, Beneath};
use crate::cli::Exit;
use crate::client::answer::print;
use crate::client::error::Error;
use crate::model::Step;
use crate::model::work::STEPS;
use crate::portage::command::shell_word;
use crate::render::clean;

/// Where the logs of packages are.
pub(crate) fn portage_logs(volume: &Path) -> PathBuf {
    volume.join("log")
}

/// A file as it is, or its last lines.
pub(crate) fn one(volume: &Path, log: &Path, last: Option<usize>) -> Result<Exit, Error> {
    if is_compressed(log) {
        let word = shell_word(&log.display().to_string());
        return Err(Error::Failed(format!("the log is compressed; read it with: zcat {word}")));
    }
    let mut file = opened(volume, log, last)?;
    copy(log, &mut file)?;
    Ok(Exit::Done)
}

/// A file to be read on from its last lines, or from its beginning.
pub(crate) fn opened(volume: &Path, log: &Path, last: Option<usize>) -> Result<File, Error> {
    let opened = open(volume, log).and_then(|mut file| {
        if let Some(last) = last {
            let at = last_lines(&mut file, last)?;
            file.seek(SeekFrom::Start(at))?;
        }
        Ok(file)
    });
    opened.map_err(|error| unreadable(log, &error))
}

/// Opens a log. Those of packages lie where others may have planted links and pipes, and what names them may be old.
pub(crate) fn open(volume: &Path, log: &Path) -> io::Result<File> {
    let (logs, steps) = (portage_logs(volume), volume.join(STEPS));
    match log.strip_prefix(logs.join("cycle")) {
        Ok(moved) => beneath::log(&steps.join(moved), &[&steps]),
        Err(_) => beneath::log(log, &[&steps, &logs]),
    }
}

/// Where the last lines of a file begin. It is read from its end, since a log may be long.
pub(crate) fn last_lines(file: &mut (impl Read + Seek), lines: usize) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 16;
    let mut at = file.seek(SeekFrom::End(0))?;
    if lines == 0 {
        return Ok(at);
    }
    let mut left = lines;
    let mut end = true;
    while at > 0 {
        let from = at.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        let mut block = Vec::new();
        file.by_ref().take(at - from).read_to_end(&mut block)?;
        for (index, byte) in block.iter().enumerate().rev() {
            // The line break at the very end is that of the last line.
            if *byte == b'\n' && !std::mem::take(&mut end) {
                left = left.saturating_sub(1);
            }
            end = false;
            if left == 0 {
                return Ok(from + index as u64 + 1);
            }
        }
        at = from;
    }
    Ok(0)
}

/// Several files, each below its name. One that cannot be read does not hide the others.
pub(crate) fn headed(volume: &Path, logs: &[PathBuf], last: Option<usize>) -> Result<Exit, Error> {
    let mut trouble = None;
    for (index, log) in logs.iter().enumerate() {
        let separator = if index == 0 { "" } else { "\n" };
        print(format!("{separator}{}", header(log)))?;
        match one(volume, log, last) {
            Err(error @ Error::Failed(_)) => trouble = Some(error),
            other => drop(other?),
        }
    }
    trouble.map_or(Ok(Exit::Done), Err)
}

/// A file's name above its text, as tail has it.
pub(crate) fn header(log: &Path) -> String {
    format!("==> {} <==\n", clean(&log.display().to_string()))
}

/// Prints what is left of a file.
pub(crate) fn copy(log: &Path, file: &mut File) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return out.flush().map_err(Error::Output),
            Ok(length) => out.write_all(&buffer[..length]).map_err(Error::Output)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(log, &error)),
        }
    }
}

pub(crate) fn unreadable(log: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{}: cannot be read: {error}", clean(&log.display().to_string())))
}

pub(crate) fn is_compressed(log: &Path) -> bool {
    log.extension().is_some_and(|extension| extension == "gz")
}

/// The cycles that have a directory, in order.
pub(crate) fn numbers(cycles: &Path) -> Vec<u64> {
    let mut numbers: Vec<_> = entries(cycles)
        .filter_map(|entry| entry.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok()))
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The logs of a cycle's steps, in the order of the cycle; what is none of them comes last.
pub(crate) fn steps(cycle: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<_> =
        entries(cycle).filter(|log| log.extension().is_some_and(|extension| extension == "log")).collect();
    let order = |log: &PathBuf| {
        let step = log.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let mut known = iter::successors(Some(Step::Preflight), |step| step.next());
        known.position(|known| known.to_string() == step).unwrap_or(usize::MAX)
    };
    logs.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.cmp(b)));
    logs
}

/// The log of the newest cycle that was written to last.
pub(crate) fn newest(cycles: &Path) -> Option<PathBuf> {
    let cycle = cycles.join(numbers(cycles).last()?.to_string());
    let written =
        |log: &PathBuf| fs::metadata(log).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    // Of two that were written at the same instant the later step is meant.
    steps(&cycle).into_iter().max_by_key(written)
}

pub(crate) fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let place = Beneath::open(directory).ok();
    let entries = place.as_ref().and_then(|place| place.list(".").ok()).unwrap_or_default();
    let directory = directory.to_owned();
    entries.into_iter().map(move |entry| directory.join(entry.path))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::last_lines;

    #[test]
    fn the_last_lines_of_a_log() {
        for (text, lines, rest) in [
            ("a\nb\nc\n", 1, "c\n"),
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc\n", 9, "a\nb\nc\n"),
            ("a\nb\nc", 1, "c"),
            ("a\nb\n\n", 1, "\n"),
            ("a\n", 0, ""),
            ("\n", 1, "\n"),
            ("", 3, ""),
        ] {
            let at = last_lines(&mut Cursor::new(text.as_bytes()), lines).unwrap();
            assert_eq!(&text[usize::try_from(at).unwrap()..], rest, "{lines} of {text:?}");
        }
        let long = format!("{}\n", "x".repeat(100)).repeat(3000);
        let at = last_lines(&mut Cursor::new(long.as_bytes()), 2000).unwrap();
        assert_eq!(long.len() as u64 - at, 2000 * 101);
    }
}
