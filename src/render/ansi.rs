//! What programs print for a terminal: its colours, and nothing else that a terminal would act on.

use super::is_directional;

/// How a terminal writes at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pen {
    /// One of the eight.
    pub(super) colour: Option<u8>,
    pub(super) bold: bool,
    pub(super) dim: bool,
}

impl Pen {
    /// Takes in the numbers of a sequence that ends with `m` (ECMA-48, SGR).
    fn take(&mut self, numbers: &str) {
        let mut numbers = numbers.split([';', ':']).map(|number| number.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                22 => (self.bold, self.dim) = (false, false),
                30..=37 => self.colour = Some(u8::try_from(number - 30).unwrap_or_default()),
                90..=97 => self.colour = Some(u8::try_from(number - 90).unwrap_or_default()),
                38 => self.colour = exact(&mut numbers),
                48 => drop(exact(&mut numbers)),
                39 => self.colour = None,
                _ => {}
            }
        }
    }
}

/// One of 256 colours or of 16 million, as the nearest of the eight.
fn exact(numbers: &mut impl Iterator<Item = u16>) -> Option<u8> {
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    match numbers.next()? {
        5 => match numbers.next()? {
            basic @ 0..=15 => u8::try_from(basic % 8).ok(),
            cube @ 16..=231 => {
                let cube = cube - 16;
                let parts = [cube / 36, cube / 6 % 6, cube % 6];
                Some(bit(parts[0] > 2, 1) | bit(parts[1] > 2, 2) | bit(parts[2] > 2, 4))
            }
            _ => None,
        },
        2 => {
            let parts = [numbers.next()?, numbers.next()?, numbers.next()?];
            Some(bit(parts[0] > 127, 1) | bit(parts[1] > 127, 2) | bit(parts[2] > 127, 4))
        }
        _ => None,
    }
}

/// A line in pieces, each as the terminal would write it. What a carriage return overwrote nobody saw; tabs are kept, and all other control
/// characters and marks that turn the direction of writing are left out.
pub(super) fn pieces(line: &str) -> Vec<(Pen, String)> {
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut pieces: Vec<(Pen, String)> = Vec::new();
    let mut pen = Pen::default();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => {
                    let mut numbers = String::new();
                    let end = loop {
                        match chars.next() {
                            Some(c) if ('@'..='~').contains(&c) => break Some(c),
                            Some(c) => numbers.push(c),
                            None => break None,
                        }
                    };
                    if end == Some('m') {
                        pen.take(&numbers);
                    }
                }
                // The title of a window, a link: up to a bell, or to the escape of its end.
                Some(']') => {
                    while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}')).is_some() {}
                    if chars.next() == Some('\u{1b}') {
                        chars.next_if_eq(&'\\');
                    }
                }
                _ => {}
            },
            c if c != '\t' && c.is_control() || is_directional(c) => {}
            c => match pieces.last_mut() {
                Some((last, text)) if *last == pen => text.push(c),
                _ => pieces.push((pen, c.to_string())),
            },
        }
    }
    pieces
}
