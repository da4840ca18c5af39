//! The key file, `.secrets`: a JSON object that its owner alone may read.
//!
//! | member | holds |
//! |---|---|
//! | `description` | what it is, for people |
//! | `maxscale_version` | the version of the program that wrote it |
//! | `encryption_cipher` | `EVP_aes_256_cbc` |
//! | `encryption_key` | 64 hexadecimal digits: the key that encrypts |
//! | `older_keys` | a list of keys that only decrypt; Tidegate alone knows it |

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use serde_json::{Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use super::hex;

/// What the file is called.
pub(super) const NAME: &str = ".secrets";

const CIPHER: &str = "EVP_aes_256_cbc";

/// A key for AES with 256 bits.
pub(super) struct Key(Zeroizing<[u8; Key::LEN]>);

impl Key {
    /// Its bytes.
    pub(super) const LEN: usize = 32;

    pub(super) fn new(bytes: [u8; Key::LEN]) -> Key {
        Key(Zeroizing::new(bytes))
    }

    /// A new one.
    fn random() -> io::Result<Key> {
        let mut bytes = Zeroizing::new([0; Key::LEN]);
        aws_lc_rs::rand::fill(&mut *bytes)
            .map_err(|_| io::Error::other("the system has no randomness to give"))?;
        Ok(Key(bytes))
    }

    fn parse(value: Option<&Value>) -> Option<Key> {
        let bytes = hex::parse(value?.as_str()?)?;
        Some(Key::new(bytes.as_slice().try_into().ok()?))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("cannot read '{}': {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot write '{}': {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("'{}' may be read by others than its owner; chmod 400 it", .0.display())]
    Open(PathBuf),
    #[error("'{}' belongs to user {owner}, not to the one who reads it, {reader}", path.display())]
    Owner {
        path: PathBuf,
        owner: u32,
        reader: u32,
    },
    #[error(
        "'{}' is not a key file: {reason}; files of MaxScale before 2.5 have to be made anew",
        path.display()
    )]
    Content { path: PathBuf, reason: &'static str },
}

impl KeyFileError {
    /// There is no file?
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Read { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The keys of a file.
pub(super) struct KeyFile {
    /// The first encrypts.
    keys: Vec<Key>,
}

impl KeyFile {
    /// Reads a file that nobody but its owner could have read or written.
    pub(super) fn read(path: &Path) -> Result<KeyFile, KeyFileError> {
        let failed = |error| KeyFileError::Read {
            path: path.to_owned(),
            error,
        };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let reader = geteuid();
        if !reader.is_root() && metadata.uid() != reader.as_raw() {
            return Err(KeyFileError::Owner {
                path: path.to_owned(),
                owner: metadata.uid(),
                reader: reader.as_raw(),
            });
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(KeyFileError::Open(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        KeyFile::parse(&text).map_err(|reason| KeyFileError::Content {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str) -> Result<KeyFile, &'static str> {
        let mut value: Value = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
        let keys = KeyFile::keys_of(&value);
        wipe(&mut value);
        Ok(KeyFile { keys: keys? })
    }

    fn keys_of(value: &Value) -> Result<Vec<Key>, &'static str> {
        if value["encryption_cipher"] != CIPHER {
            return Err("its encryption_cipher is not EVP_aes_256_cbc");
        }
        const BAD: &str = "a key is not 64 hexadecimal digits";
        let mut keys = vec![Key::parse(value.get("encryption_key")).ok_or(BAD)?];
        for older in value["older_keys"].as_array().into_iter().flatten() {
            keys.push(Key::parse(Some(older)).ok_or(BAD)?);
        }
        Ok(keys)
    }

    /// A file with one new key.
    pub(super) fn generate() -> io::Result<KeyFile> {
        Ok(KeyFile {
            keys: vec![Key::random()?],
        })
    }

    /// The same with a new key before the others.
    pub(super) fn rotate(mut self) -> io::Result<KeyFile> {
        self.keys.insert(0, Key::random()?);
        Ok(self)
    }

    /// All keys, the one that encrypts first.
    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The key that encrypts.
    pub(super) fn newest(&self) -> &Key {
        &self.keys[0]
    }

    /// Writes it for `owner` (user and group) to read, without ever overwriting another.
    pub(super) fn write(&self, path: &Path, owner: Option<(u32, u32)>) -> Result<(), KeyFileError> {
        let failed = |error| KeyFileError::Write {
            path: path.to_owned(),
            error,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let written = file.write_all(self.text().as_bytes());
        written.and_then(|()| file.sync_all()).map_err(failed)?;
        if let Some((user, group)) = owner {
            std::os::unix::fs::fchown(&file, Some(user), Some(group)).map_err(failed)?;
        }
        file.set_permissions(Permissions::from_mode(0o400))
            .map_err(failed)
    }

    fn text(&self) -> Zeroizing<String> {
        let digits = |key: &Key| hex::upper(key.bytes()).to_ascii_lowercase();
        let mut value = json!({
            "description": "Tidegate encryption key",
            "maxscale_version": crate::VERSION,
            "encryption_cipher": CIPHER,
            "encryption_key": digits(self.newest()),
        });
        if self.keys.len() > 1 {
            value["older_keys"] = self.keys[1..].iter().map(digits).collect();
        }
        let text = Zeroizing::new(format!("{value:#}\n"));
        wipe(&mut value);
        text
    }
}

/// Overwrites the texts of a document.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn content(key: &str) -> String {
        format!(
            r#"{{"description": "MaxScale encryption key", "maxscale_version": "24.02.1",
                "encryption_cipher": "EVP_aes_256_cbc", "encryption_key": "{key}"}}"#
        )
    }

    #[test]
    fn files_of_the_original_are_read() {
        let file = KeyFile::parse(&content(KEY)).expect("a key file");
        assert_eq!(file.newest().bytes()[31], 0x1f);
    }

    #[test]
    fn what_is_no_key_file_says_why() {
        let check = |text: &str, expect: &str| {
            assert_eq!(KeyFile::parse(text).err(), Some(expect), "{text}");
        };
        check("12", "its encryption_cipher is not EVP_aes_256_cbc");
        check("\u{1}\u{2}", "it is not JSON");
        check(&content("00"), "a key is not 64 hexadecimal digits");
    }

    #[test]
    fn written_it_is_its_owner_s_alone_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let file = KeyFile::generate().and_then(KeyFile::rotate).unwrap();
        file.write(&path, None).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o400);
        let again = KeyFile::read(&path).unwrap();
        let bytes = |file: &KeyFile| file.keys().iter().map(|key| *key.0).collect::<Vec<_>>();
        assert!(bytes(&again) == bytes(&file));
        assert!(matches!(
            file.write(&path, None),
            Err(KeyFileError::Write { .. })
        ));
    }

    #[test]
    fn one_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        std::fs::write(&path, content(KEY)).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        assert!(matches!(KeyFile::read(&path), Err(KeyFileError::Open(_))));
        std::fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(KeyFile::read(&path).is_ok());
    }
}
