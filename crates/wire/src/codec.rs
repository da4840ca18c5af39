//! The protocol's primitive types: a cursor that reads them and functions that append them.
//!
//! All integers are little endian. Text has no character set here: it is bytes.
//!
//! Invariant: a [`Reader`] never moves past its payload's end, and a length read from the payload is
//! compared with what is there before it is used.

use crate::WireError;

/// First byte of a length-encoded integer of 2 bytes.
const LENENC_2: u8 = 0xFC;
/// First byte of a length-encoded integer of 3 bytes.
const LENENC_3: u8 = 0xFD;
/// First byte of a length-encoded integer of 8 bytes.
const LENENC_8: u8 = 0xFE;
/// Stands for NULL where a length-encoded text may be NULL.
const LENENC_NULL: u8 = 0xFB;

/// A cursor over one payload.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the payload's first byte.
    #[inline]
    pub fn new(payload: &'a [u8]) -> Self {
        Self {
            rest: payload,
            len: payload.len(),
        }
    }

    /// How many bytes were read.
    #[inline]
    pub fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether all bytes were read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, without reading it.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// All that is left, without an error when it is nothing.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn truncated(&self, needed: u64) -> WireError {
        WireError::Truncated {
            at: self.offset(),
            needed,
            left: self.rest.len(),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N as u64));
        };
        self.rest = rest;
        Ok(*head)
    }

    /// Exactly `n` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if fewer are left, as for every method below.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let Some((head, rest)) = self.rest.split_at_checked(n) else {
            return Err(self.truncated(n as u64));
        };
        self.rest = rest;
        Ok(head)
    }

    /// An integer of one byte.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// An integer of two bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    /// An integer of three bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u24(&mut self) -> Result<u32, WireError> {
        self.array()
            .map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// An integer of four bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    /// An integer of eight bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded integer.
    ///
    /// # Errors
    /// [`WireError::Truncated`], or [`WireError::NoLength`] for 0xFB and 0xFF.
    #[inline]
    pub fn lenenc_int(&mut self) -> Result<u64, WireError> {
        let at = self.offset();
        match self.u8()? {
            short @ 0..LENENC_NULL => Ok(u64::from(short)),
            LENENC_2 => self.u16().map(u64::from),
            LENENC_3 => self.u24().map(u64::from),
            LENENC_8 => self.u64(),
            first @ (LENENC_NULL | 0xFF) => Err(WireError::NoLength { at, first }),
        }
    }

    /// Bytes with a length-encoded integer before them.
    ///
    /// # Errors
    /// [`WireError::Truncated`] or [`WireError::NoLength`].
    #[inline]
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.lenenc_int()?;
        match usize::try_from(len) {
            Ok(len) => self.take(len),
            Err(_) => Err(self.truncated(len)),
        }
    }

    /// Bytes with a length-encoded integer before them, or NULL: a column of a text row.
    ///
    /// # Errors
    /// [`WireError::Truncated`] or [`WireError::NoLength`].
    #[inline]
    pub fn lenenc_nullable(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        if self.peek() == Some(LENENC_NULL) {
            self.take(1)?;
            return Ok(None);
        }
        self.lenenc_bytes().map(Some)
    }

    /// Bytes up to a NUL, which is read too and not part of the result.
    ///
    /// # Errors
    /// [`WireError::Unterminated`] if there is no NUL.
    pub fn nul_bytes(&mut self) -> Result<&'a [u8], WireError> {
        let Some(len) = memchr::memchr(0, self.rest) else {
            return Err(WireError::Unterminated { at: self.offset() });
        };
        let text = self.take(len)?;
        self.take(1)?;
        Ok(text)
    }

    /// Bytes up to a NUL or to the payload's end: some peers leave the last NUL out.
    pub fn nul_or_rest(&mut self) -> &'a [u8] {
        self.nul_bytes().unwrap_or_else(|_| self.rest())
    }

    /// Succeeds if everything was read.
    ///
    /// # Errors
    /// [`WireError::LeftOver`] otherwise.
    pub fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(WireError::LeftOver {
            at: self.offset(),
            left: self.rest.len(),
        })
    }
}

/// Appends an integer of one byte.
#[inline]
pub fn put_u8(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

/// Appends an integer of two bytes.
#[inline]
pub fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends an integer of four bytes.
#[inline]
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends an integer of eight bytes.
#[inline]
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a length-encoded integer in its shortest form, as servers do.
#[inline]
pub fn put_lenenc_int(out: &mut Vec<u8>, value: u64) {
    let [a, b, c, ..] = value.to_le_bytes();
    match value {
        0..=0xFA => out.push(a),
        0xFB..=0xFFFF => out.extend_from_slice(&[LENENC_2, a, b]),
        0x1_0000..=0xFF_FFFF => out.extend_from_slice(&[LENENC_3, a, b, c]),
        0x100_0000.. => {
            out.push(LENENC_8);
            put_u64(out, value);
        }
    }
}

/// Appends bytes with their length-encoded length before them.
#[inline]
pub fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc_int(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends NULL, or bytes with their length: a column of a text row.
#[inline]
pub fn put_lenenc_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => out.push(LENENC_NULL),
        Some(bytes) => put_lenenc_bytes(out, bytes),
    }
}

/// Appends bytes and a NUL. Bytes from the first NUL on are left out, so that what follows keeps its
/// place whatever the text is.
#[inline]
pub fn put_nul_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().copied().take_while(|byte| *byte != 0));
    out.push(0);
}

/// How many bytes [`put_lenenc_int`] appends.
#[inline]
pub fn lenenc_len(value: u64) -> usize {
    match value {
        0..=0xFA => 1,
        0xFB..=0xFFFF => 3,
        0x1_0000..=0xFF_FFFF => 4,
        0x100_0000.. => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_lenenc(bytes: &[u8], expect: Result<u64, WireError>) {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.lenenc_int(), expect);
        if let Ok(value) = expect {
            assert_eq!(reader.offset(), bytes.len());
            let mut out = Vec::new();
            put_lenenc_int(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(lenenc_len(value), bytes.len());
        }
    }

    #[test]
    fn length_encoded_integers() {
        check_lenenc(&[0], Ok(0));
        check_lenenc(&[250], Ok(250));
        check_lenenc(&[0xFC, 251, 0], Ok(251));
        check_lenenc(&[0xFC, 0xFF, 0xFF], Ok(0xFFFF));
        check_lenenc(&[0xFD, 0, 0, 1], Ok(0x1_0000));
        check_lenenc(&[0xFE, 0, 0, 0, 1, 0, 0, 0, 0], Ok(0x100_0000));
        check_lenenc(
            &[0xFE, 255, 255, 255, 255, 255, 255, 255, 255],
            Ok(u64::MAX),
        );
        let no_length = |first| Err(WireError::NoLength { at: 0, first });
        check_lenenc(&[0xFB], no_length(0xFB));
        check_lenenc(&[0xFF], no_length(0xFF));
        let truncated = |at, needed, left| Err(WireError::Truncated { at, needed, left });
        check_lenenc(&[], truncated(0, 1, 0));
        check_lenenc(&[0xFC, 1], truncated(1, 2, 1));
        check_lenenc(&[0xFE, 1, 2, 3], truncated(1, 8, 3));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_before_it_is_used() {
        let mut reader = Reader::new(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert_eq!(
            reader.lenenc_bytes(),
            Err(WireError::Truncated {
                at: 9,
                needed: u64::MAX,
                left: 1
            })
        );
    }

    #[test]
    fn text_forms() {
        let mut reader = Reader::new(b"abc\0\x02de\xFBrest");
        assert_eq!(reader.nul_bytes(), Ok(&b"abc"[..]));
        assert_eq!(reader.lenenc_nullable(), Ok(Some(&b"de"[..])));
        assert_eq!(reader.lenenc_nullable(), Ok(None));
        assert_eq!(reader.nul_bytes(), Err(WireError::Unterminated { at: 8 }));
        assert_eq!(reader.nul_or_rest(), b"rest");
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_nul_inside_nul_terminated_text_ends_it() {
        let mut out = Vec::new();
        put_nul_bytes(&mut out, b"a\0b");
        assert_eq!(out, b"a\0");
    }
}
