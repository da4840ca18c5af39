//! The encoding of a session at rest: a flat sequence of little-endian numbers and byte strings.
//!
//! The writer and the reader of a type stand beside it and mirror each other; nothing here knows
//! their order. The first number of a frozen session is [`VERSION`]; a reader refuses any other.
//! Thawing never panics and never allocates more than the encoding's own length.

/// The version of the encoding; raised by every change of any part of it.
pub const VERSION: u32 = 11;

/// Why an encoding could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    /// Made by another version.
    #[error("frozen with version {found}, this is version {VERSION}")]
    Version {
        /// What was found.
        found: u32,
    },
    /// It ends too early.
    #[error("the encoding ends at byte {at}, {missing} more were expected")]
    Short {
        /// Where.
        at: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// A value that means nothing.
    #[error("{what} cannot be {value}")]
    Value {
        /// Which field.
        what: &'static str,
        /// What was found.
        value: u64,
    },
    /// A name that the new configuration does not have.
    #[error("{what} '{name}' does not exist any more")]
    Gone {
        /// What kind of object.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Bytes are left over.
    #[error("{count} bytes are left over")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// Writes an encoding.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// The bytes written so far.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A flag.
    pub fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    /// A byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// A 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A byte string with its length.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u64(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Something that may be absent.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Encoder, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// A sequence with its length.
    pub fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Encoder, T),
    ) {
        self.u64(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

/// Reads an encoding.
#[derive(Debug)]
pub struct Decoder<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `all`.
    #[must_use]
    pub fn new(all: &'a [u8]) -> Decoder<'a> {
        Decoder { all, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], FreezeError> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            return Err(FreezeError::Short {
                at: self.all.len(),
                missing: count - rest.len(),
            });
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FreezeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A flag.
    ///
    /// # Errors
    /// The encoding is too short or the byte is neither 0 nor 1.
    pub fn flag(&mut self) -> Result<bool, FreezeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(FreezeError::Value {
                what: "a flag",
                value: u64::from(value),
            }),
        }
    }

    /// A byte.
    ///
    /// # Errors
    /// The encoding is too short.
    pub fn u8(&mut self) -> Result<u8, FreezeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A 16-bit number.
    ///
    /// # Errors
    /// The encoding is too short.
    pub fn u16(&mut self) -> Result<u16, FreezeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// The encoding is too short.
    pub fn u32(&mut self) -> Result<u32, FreezeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// The encoding is too short.
    pub fn u64(&mut self) -> Result<u64, FreezeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte string.
    ///
    /// # Errors
    /// The encoding is too short.
    pub fn bytes(&mut self) -> Result<&'a [u8], FreezeError> {
        let len = self.len()?;
        self.take(len)
    }

    /// A text; bytes that are not UTF-8 become replacement characters.
    ///
    /// # Errors
    /// The encoding is too short.
    pub fn text(&mut self) -> Result<String, FreezeError> {
        self.bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Something that may be absent.
    ///
    /// # Errors
    /// As `read`.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, FreezeError>,
    ) -> Result<Option<T>, FreezeError> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A sequence.
    ///
    /// # Errors
    /// As `read`.
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Decoder<'a>) -> Result<T, FreezeError>,
    ) -> Result<Vec<T>, FreezeError> {
        let len = self.len()?;
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// A length; every item takes at least one byte, so a length beyond the rest is refused here.
    fn len(&mut self) -> Result<usize, FreezeError> {
        let value = self.u64()?;
        let rest = self.all.len() - self.at;
        match usize::try_from(value) {
            Ok(len) if len <= rest => Ok(len),
            _ => Err(FreezeError::Short {
                at: self.all.len(),
                missing: usize::try_from(value)
                    .unwrap_or(usize::MAX)
                    .saturating_sub(rest),
            }),
        }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Bytes are left over.
    pub fn finish(self) -> Result<(), FreezeError> {
        match self.all.len() - self.at {
            0 => Ok(()),
            count => Err(FreezeError::Trailing { count }),
        }
    }
}
