//! Reading DER: the few shapes that certificates and keys are made of.
//!
//! Left out: what a value means, tags of more than one byte, lengths of 16 MiB and more. Bytes that
//! make no sense are `None`, never a panic.

/// A sequence of values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

/// Tags of ITU-T X.690.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_ID: u8 = 0x06;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Der<'a> {
        Der(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value's tag and contents.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            short @ 0..=0x7f => (usize::from(short), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let fold = |len: usize, digit: &u8| len << 8 | usize::from(*digit);
                (digits.iter().fold(0, fold), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next value, which must be of this kind.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, contents)| contents)
    }

    /// The values inside the next one, which must be of this kind.
    pub(crate) fn inside(&mut self, tag: u8) -> Option<Der<'a>> {
        self.take(tag).map(Der)
    }

    /// Like [`Der::take`], but a value of another kind is left alone.
    pub(crate) fn take_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        (self.0.first() == Some(&tag)).then(|| self.take(tag))?
    }

    /// The next value with its tag and length.
    pub(crate) fn whole(&mut self) -> Option<&'a [u8]> {
        let before = self.0;
        self.next()?;
        before.get(..before.len() - self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_one_by_one() {
        let mut der = Der::new(&[0x30, 3, 2, 1, 5, 4, 0x81, 2, 8, 9]);
        let mut inside = der.inside(tag::SEQUENCE).unwrap();
        assert_eq!(inside.take(tag::INTEGER), Some(&[5][..]));
        assert!(inside.is_empty());
        assert_eq!(der.take_if(tag::INTEGER), None);
        assert_eq!(der.clone().whole(), Some(&[4, 0x81, 2, 8, 9][..]));
        assert_eq!(der.take_if(tag::OCTET_STRING), Some(&[8, 9][..]));
        assert_eq!(der.next(), None);
    }

    #[test]
    fn what_is_cut_off_or_endless_is_nothing() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 1],
            &[4, 0x82, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x84, 0, 0, 0, 0],
        ] {
            assert_eq!(Der::new(bytes).next(), None, "{bytes:?}");
        }
    }
}
