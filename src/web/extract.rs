//! A piece of a log in whole lines, wherever in it somebody looks and however long it is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of a piece, at the most.
pub(super) const PIECE: u64 = 64 << 10;
/// How far back the beginning of a line is looked for. A longer one is cut through.
const BACK: u64 = 8 << 10;

/// Some lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where the first one begins.
    pub(super) from: u64,
    /// They, each with its line break.
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    /// Where the next one begins.
    pub(super) fn next(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

/// Where the line begins that has this byte.
pub(super) fn line_at(file: &File, at: u64) -> io::Result<u64> {
    let base = at.saturating_sub(BACK);
    let before = read(file, base, at - base)?;
    Ok(match before.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => base + end as u64 + 1,
        None if base == 0 => 0,
        None => at,
    })
}

/// The lines from here on. With `whole` one that has no end yet is left out: it is still being written.
pub(super) fn from(file: &File, at: u64, whole: bool) -> io::Result<Piece> {
    let mut bytes = read(file, at, PIECE + 1)?;
    let more = bytes.len() as u64 > PIECE;
    bytes.truncate(usize::try_from(PIECE).unwrap_or(usize::MAX));
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
    match end {
        Some(end) if more || whole => bytes.truncate(end),
        None if whole && !more => bytes.clear(),
        _ => {}
    }
    Ok(Piece { from: at, bytes })
}

/// The lines before this place.
pub(super) fn before(file: &File, to: u64) -> io::Result<Piece> {
    let begin = to.saturating_sub(PIECE);
    let base = begin.saturating_sub(1);
    let mut bytes = read(file, base, to - base)?;
    let from = match bytes.iter().position(|byte| *byte == b'\n') {
        _ if begin == 0 => 0,
        // The line break before the piece tells that it begins with a line.
        Some(end) if end + 1 < bytes.len() => end + 1,
        _ => usize::try_from(begin - base).unwrap_or_default(),
    };
    bytes.drain(..from);
    Ok(Piece { from: base + from as u64, bytes })
}

/// So many bytes, or what there is.
pub(super) fn read(file: &File, at: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(most).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    #[test]
    fn pieces_join_to_the_whole_from_both_ends() {
        let mut text = b"short\n\n".to_vec();
        text.extend(b"x".repeat(200_000));
        for n in 0..30_000 {
            text.extend(format!("\nline {n}").bytes());
        }
        let file = file(&text);
        let size = text.len() as u64;
        let (mut at, mut forward) = (0, Vec::new());
        while at < size {
            let piece = from(&file, at, false).unwrap();
            assert!(!piece.bytes.is_empty() && piece.bytes.len() as u64 <= PIECE);
            at = piece.next();
            forward.extend(piece.bytes);
        }
        assert!(forward == text);
        let (mut to, mut pieces) = (size, Vec::new());
        while to > 0 {
            let piece = before(&file, to).unwrap();
            assert_eq!(piece.next(), to);
            assert!(piece.from == 0 || !piece.bytes.is_empty());
            to = piece.from;
            pieces.push(piece.bytes);
        }
        pieces.reverse();
        assert!(pieces.concat() == text);
    }

    #[test]
    fn a_line_is_whole_wherever_it_is_entered() {
        let file = file(b"one\ntwo\nthree");
        for (at, begins) in [(0, 0), (2, 0), (4, 4), (7, 4), (8, 8), (13, 8)] {
            assert_eq!(line_at(&file, at).unwrap(), begins, "{at}");
        }
        let rest = |at, whole| String::from_utf8(from(&file, at, whole).unwrap().bytes).unwrap();
        assert_eq!(
            (rest(4, false).as_str(), rest(4, true).as_str(), rest(8, true).as_str()),
            ("two\nthree", "two\n", "")
        );
        assert_eq!(
            (rest(99, false).as_str(), before(&file, 8).unwrap().bytes.as_slice()),
            ("", b"one\ntwo\n".as_slice())
        );
    }
}
