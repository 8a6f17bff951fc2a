//! Whether a binary package comes from whom it should, by Portage's rules (`portage/gpkg.py:_verify_binpkg`).
//!
//! A package with any signature has to have one of everything but `gpkg-1`: the Manifest is signed in clear, and
//! beside each other member lies a detached one, `.sig`. GnuPG is asked about every one of them, although the
//! Manifest has the digests of all that it lists: Portage does so, and refuses a package for one that is bad.

use std::io::{Read, Seek, SeekFrom};

use super::members::Damage;
use super::reading::{Reading, Sound};
use crate::portage::output::gpg::Doubt;

/// Who says whether signatures are those of the right keys.
pub(crate) trait Judge {
    /// What was signed of a text that is signed in clear.
    ///
    /// # Errors
    /// When it was not signed by the right key.
    fn clear(&self, text: &str) -> Result<String, Doubt>;

    /// Judges a detached signature.
    ///
    /// # Errors
    /// When it is not one of this data by the right key.
    fn detached(&self, signature: &[u8], data: &mut dyn Read) -> Result<(), Doubt>;
}

/// Checks one package to its last byte, with its signatures where it has any, or has to have them; `size` is the
/// length of the file. What is signed is read twice.
///
/// # Errors
/// As for [`check`](super::check), and [`Damage::Signature`].
#[cfg(any(test, fuzzing))]
pub(crate) fn verify<R: Read + Seek>(
    mut reader: R,
    size: u64,
    judge: &impl Judge,
    demanded: bool,
) -> Result<Sound, Damage> {
    let reading = super::read(&mut reader, size)?;
    reading.judge(reader, judge, demanded)
}

impl Reading {
    /// Checks with its signatures what was [`read`](super::read) already, of the same file.
    ///
    /// # Errors
    /// As for [`check`](super::check), and [`Damage::Signature`].
    pub(crate) fn judge<R: Read + Seek>(
        self,
        mut reader: R,
        judge: &impl Judge,
        demanded: bool,
    ) -> Result<Sound, Damage> {
        let Self { mut members, whole, parts } = self;
        let is_signed = members.are_signed();
        if !is_signed && !demanded {
            members.compare()?;
            return Ok(Sound { whole, is_signed });
        }
        members.manifest = judge.clear(&members.manifest).map_err(Damage::Signature)?;
        let signed = parts.pairs(&members)?;
        members.compare()?;
        for (place, signature) in signed {
            reader.seek(SeekFrom::Start(place.start))?;
            let mut data = reader.by_ref().take(place.length);
            judge.detached(signature, &mut data).map_err(Damage::Signature)?;
        }
        Ok(Sound { whole, is_signed })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use super::*;
    use crate::portage::files::gpkg::sign::tests::{PACKAGE, signed};

    /// Says of signatures what it is told to say.
    struct Says {
        clear: fn(&str) -> Result<String, Doubt>,
        detached: fn(&str, usize) -> Result<(), Doubt>,
    }

    impl Judge for Says {
        fn clear(&self, text: &str) -> Result<String, Doubt> {
            (self.clear)(text)
        }

        fn detached(&self, signature: &[u8], data: &mut dyn Read) -> Result<(), Doubt> {
            let length = io::copy(data, &mut io::sink()).unwrap();
            (self.detached)(std::str::from_utf8(signature).unwrap(), usize::try_from(length).unwrap())
        }
    }

    const ALL: Says = Says { clear: |text| Ok(text.to_owned()), detached: |_, _| Ok(()) };
    const NOTHING: Says = Says { clear: |_| panic!("the Manifest"), detached: |_, _| panic!("a member") };

    fn look(package: &[u8], judge: &Says, demanded: bool) -> Result<bool, Damage> {
        verify(Cursor::new(package), package.len() as u64, judge, demanded).map(|sound| sound.is_signed)
    }

    #[test]
    fn only_what_was_signed_counts() {
        let signed = signed(PACKAGE).unwrap();
        for demanded in [false, true] {
            assert_eq!(look(&signed, &ALL, demanded), Ok(true));
            let bad = Says { clear: |_| Err(Doubt::Bad), ..ALL };
            assert_eq!(look(&signed, &bad, demanded), Err(Damage::Signature(Doubt::Bad)));
            // The key signed another Manifest than the one that is in the file.
            let other = Says { clear: |_| Ok(String::new()), ..ALL };
            assert!(matches!(look(&signed, &other, demanded), Err(Damage::Mismatch(_))));
        }
    }

    #[test]
    fn each_signature_is_judged_with_what_it_signs() {
        let signed = signed(PACKAGE).unwrap();
        let counting = |signature: &str, length: usize| {
            if signature == format!("signed {length} bytes") { Ok(()) } else { Err(Doubt::Bad) }
        };
        assert_eq!(look(&signed, &Says { detached: counting, ..ALL }, true), Ok(true));
        // One bad one is enough.
        let small = |_: &str, length: usize| if length < 1000 { Err(Doubt::Bad) } else { Ok(()) };
        let found = look(&signed, &Says { detached: small, ..ALL }, true);
        assert_eq!(found, Err(Damage::Signature(Doubt::Bad)));
    }

    #[test]
    fn what_is_not_signed_at_all_is_good_unless_signatures_are_demanded() {
        assert_eq!(look(PACKAGE, &NOTHING, false), Ok(false));
        // A Manifest alone is not enough for Portage.
        assert_eq!(look(PACKAGE, &ALL, true), Err(Damage::Signature(Doubt::Unsigned)));
        let nothing = Says { clear: |_| Err(Doubt::Unsigned), ..NOTHING };
        assert_eq!(look(PACKAGE, &nothing, true), Err(Damage::Signature(Doubt::Unsigned)));
    }
}
