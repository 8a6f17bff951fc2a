//! What is wrong with a file of assignments, as Portage reads those of `/etc/portage/env` that package.env names.
//!
//! Portage reads them with Python's shlex (`portage/util/__init__.py:getconfig`), not with a shell, and only when it comes to
//! a package that they are for.

/// What stands in a word without quotes, besides letters and digits.
const IN_WORDS: &str = "~!@#$%*_\\:;?,./-+{}";

/// The first thing that Portage does not read, in its words, with the line in which that begins (Portage gives the one in which
/// it noticed). `is_there` says whether a file is there that
/// is sourced.
pub(crate) fn mistake(text: &str, is_there: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    if let Some(at) = text.split('\n').position(|line| line.contains('\r')) {
        return Some((at + 1, "it has the line ends of DOS (dos2unix)".to_owned()));
    }
    let mut reader = Reader { text: text.chars().collect(), at: 0, line: 1 };
    assignments(&mut reader, &is_there).err().map(|words| (reader.line, words))
}

fn assignments(reader: &mut Reader, is_there: &dyn Fn(&str) -> bool) -> Result<(), String> {
    loop {
        let mut key = reader.token(is_there)?;
        if key.as_deref() == Some("export") {
            key = reader.token(is_there)?;
        }
        let Some(key) = key else { return Ok(()) };
        let line = reader.line;
        match reader.token(is_there)?.as_deref() {
            None | Some("") => return reader.fails(line, "Unexpected EOF"),
            Some("=") => {}
            Some(other) => return Err(format!("Invalid token '{other}' (not '=')")),
        }
        if reader.token(is_there)?.is_none() {
            return reader.fails(line, &format!("Unexpected end of config file: variable '{key}'"));
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if !key.chars().all(is_name) || key.starts_with(|c: char| c.is_numeric()) {
            return reader.fails(line, &format!("Invalid variable name '{key}'"));
        }
    }
}

/// `shlex.shlex` in POSIX mode, with Portage's characters of words.
struct Reader {
    text: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    /// The next word, or a single character that is part of none; nothing at the end.
    fn token(&mut self, is_there: &dyn Fn(&str) -> bool) -> Result<Option<String>, String> {
        loop {
            let token = self.word()?;
            if token.as_deref() != Some("source") {
                return Ok(token);
            }
            // What it has is known by no one here; whether there is anything is.
            let file = self.word()?.unwrap_or_default();
            if !file.contains('$') && !is_there(&file) {
                return Err(format!("{file}: No such file or directory"));
            }
        }
    }

    fn fails<T>(&mut self, line: usize, words: &str) -> Result<T, String> {
        self.line = line;
        Err(words.to_owned())
    }

    /// The last character is read again.
    fn back(&mut self) {
        self.at -= 1;
        self.line -= usize::from(self.text.get(self.at) == Some(&'\n'));
    }

    fn next(&mut self) -> Option<char> {
        let next = self.text.get(self.at).copied()?;
        self.at += 1;
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn word(&mut self) -> Result<Option<String>, String> {
        let mut word: Option<String> = None;
        while let Some(next) = self.next() {
            match next {
                ' ' | '\t' | '\r' | '\n' if word.is_some() => {
                    self.back();
                    return Ok(word);
                }
                ' ' | '\t' | '\r' | '\n' => {}
                '#' => {
                    while self.next().is_some_and(|next| next != '\n') {}
                    if word.is_some() {
                        return Ok(word);
                    }
                }
                '\\' => word.get_or_insert_default().push(self.next().ok_or("No escaped character")?),
                '"' | '\'' => self.quoted(next, word.get_or_insert_default())?,
                next if next.is_ascii_alphanumeric() || IN_WORDS.contains(next) => {
                    word.get_or_insert_default().push(next);
                }
                _ if word.is_some() => {
                    self.back();
                    return Ok(word);
                }
                next => return Ok(Some(next.to_string())),
            }
        }
        Ok(word)
    }

    fn quoted(&mut self, quote: char, word: &mut String) -> Result<(), String> {
        let line = self.line;
        loop {
            let Some(next) = self.next() else { return self.fails(line, "No closing quotation") };
            match next {
                next if next == quote => return Ok(()),
                '\\' if quote == '"' => {
                    let next = self.next().ok_or("No escaped character")?;
                    if !matches!(next, '\\' | '"') {
                        word.push('\\');
                    }
                    word.push(next);
                }
                next => word.push(next),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Portage 3.0.83 made of each of them, but for the numbers of the lines.
    #[test]
    fn what_portage_does_not_read() {
        for (text, want) in [
            ("", None),
            ("# a 'comment\nexport CFLAGS=\"-O2 -march=x86-64\" # more\nFOO='it\nis' BAR=a\\ b\n", None),
            ("EMPTY=''\nUSE=\"a \\\"b\\\" ${USE}\"\n", None),
            ("A=\"1\"x'2'\nB=$A\n", None),
            ("source /there\nFOO=1\n", None),
            ("CFLAGS=\"-O2\nFOO=1\n", Some((1, "No closing quotation"))),
            ("CFLAGS=-march=native\n", Some((1, "Invalid token 'native' (not '=')"))),
            ("one two\n", Some((1, "Invalid token 'two' (not '=')"))),
            ("FOO=1\nBAR\n", Some((2, "Unexpected EOF"))),
            ("FOO=1\nBAR=\n", Some((2, "Unexpected end of config file: variable 'BAR'"))),
            ("1X=2\n", Some((1, "Invalid variable name '1X'"))),
            ("source /gone\nFOO=1\n", Some((1, "/gone: No such file or directory"))),
            ("FOO=1\r\n", Some((1, "it has the line ends of DOS (dos2unix)"))),
        ] {
            let found = mistake(text, |file| file != "/gone");
            assert_eq!(found.as_ref().map(|(line, words)| (*line, words.as_str())), want, "{text:?}");
        }
    }
}
