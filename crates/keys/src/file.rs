//! Keys in a text file, as MariaDB's plugin `file_key_management` reads it: lines of `id;hex`.
//!
//! Empty lines and what follows `#` are left out. The file is read as a whole, and a wrong line makes
//! all of it wrong.
//!
//! Left out: files that are encrypted themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::hex;
use crate::key::{KeyManager, ManagedKey, Pending, Version, only_first};

/// What `openssl enc` puts before what it has encrypted.
const SEALED: &[u8] = b"Salted__";

/// The keys of a file, as they were when it was read.
#[derive(Debug)]
pub(crate) struct FileKeys {
    path: PathBuf,
    keys: BTreeMap<u32, ManagedKey>,
}

impl FileKeys {
    /// Reads the file. Blocks for a moment.
    pub(crate) fn read(path: &Path) -> Result<FileKeys, KeyError> {
        let failed = |error| KeyError::File {
            path: path.to_owned(),
            error,
        };
        let bytes = Zeroizing::new(std::fs::read(path).map_err(failed)?);
        let keys = parse(&bytes).map_err(|(line, reason)| KeyError::Line {
            path: path.to_owned(),
            line,
            reason,
        })?;
        Ok(FileKeys {
            path: path.to_owned(),
            keys,
        })
    }

    fn find(&self, id: &str, version: Version) -> Result<ManagedKey, KeyError> {
        let found = id.parse().ok().and_then(|id: u32| self.keys.get(&id));
        let key = found.cloned().ok_or_else(|| KeyError::NoKey {
            id: id.to_owned(),
            place: format!("file.keyfile '{}'", self.path.display()),
            remedy: "add a line 'number;hexadecimal key' and alter a global parameter, or restart"
                .to_owned(),
        })?;
        only_first(version, id)?;
        Ok(key)
    }
}

impl KeyManager for FileKeys {
    fn key<'a>(
        &'a self,
        id: &'a str,
        version: Version,
    ) -> Pending<'a, Result<ManagedKey, KeyError>> {
        Box::pin(std::future::ready(self.find(id, version)))
    }
}

type Wrong = (usize, String);

fn parse(bytes: &[u8]) -> Result<BTreeMap<u32, ManagedKey>, Wrong> {
    if bytes.starts_with(SEALED) {
        let text = "the file is encrypted, which is not supported; decrypt it with openssl";
        return Err((1, text.to_owned()));
    }
    let mut keys = BTreeMap::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let wrong = |reason: String| (index + 1, reason);
        let line = std::str::from_utf8(line).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (id, key) = entry(line).map_err(wrong)?;
        if keys.insert(id, key).is_some() {
            return Err(wrong(format!("key {id} is there a second time")));
        }
    }
    Ok(keys)
}

fn entry(line: &str) -> Result<(u32, ManagedKey), String> {
    let (id, digits) = line
        .split_once(';')
        .ok_or("it is not of the form 'number;hexadecimal key'")?;
    let id = id
        .trim()
        .parse()
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| format!("the number of the key is not from 1 to {}", u32::MAX))?;
    let key = ManagedKey::new(1, hex::key(digits.trim())?);
    let key = key.map_err(|bits| format!("the key has {bits} bits"))?;
    Ok((id, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0F";

    #[test]
    fn lines_comments_and_space() {
        let long = KEY.repeat(2);
        let text = format!("# keys\n\n1;{KEY}\r\n  4294967295 ; {long}  # the last one\n");
        let keys = parse(text.as_bytes()).unwrap();
        let lens: Vec<_> = keys
            .iter()
            .map(|(id, key)| (*id, key.bytes().len()))
            .collect();
        assert_eq!(lens, [(1, 16), (4_294_967_295, 32)]);
        assert_eq!(keys[&1].bytes()[15], 15);
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_line_is_named_and_not_quoted() {
        let check = |line: &str, reason: &str| {
            let text = format!("1;{KEY}\n\n{line}\n");
            let (at, said) = parse(text.as_bytes()).unwrap_err();
            assert_eq!(at, 3, "{line}");
            assert!(said.contains(reason), "{said}");
            assert!(!said.contains("0102030405"), "{said}");
        };
        check(KEY, "number;hexadecimal key");
        check(&format!("x;{KEY}"), "from 1 to");
        check(&format!("0;{KEY}"), "from 1 to");
        check(&format!("4294967296;{KEY}"), "from 1 to");
        check(&format!("{KEY};2"), "from 1 to");
        check(&format!("1;{KEY}"), "key 1 is there a second time");
        check(&format!("2;{KEY}00"), "34 hexadecimal digits");
        check(
            &format!("2;0102030405{}", "x".repeat(22)),
            "no hexadecimal digit",
        );
        check("2;", "0 hexadecimal digits");
        let (at, said) = parse(b"Salted__\x01\x02").unwrap_err();
        assert!(at == 1 && said.contains("encrypted"), "{said}");
        assert_eq!(parse(b"\xff").unwrap_err().0, 1);
    }

    #[test]
    fn keys_have_one_version_and_are_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert!(
            FileKeys::read(&path)
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
        std::fs::write(&path, format!("7;{KEY}\n")).unwrap();
        let keys = FileKeys::read(&path).unwrap();
        let find = |id, version| keys.find(id, version).map_err(|error| error.to_string());
        assert_eq!(find("7", Version::Latest).unwrap().version(), 1);
        assert!(find("7", Version::Number(1)).is_ok());
        let error = find("7", Version::Number(2)).unwrap_err();
        assert!(error.contains("no version 2"), "{error}");
        for id in ["8", "x", ""] {
            let error = find(id, Version::Latest).unwrap_err();
            assert!(error.contains("add a line"), "{error}");
        }
        let shown = format!("{keys:?}");
        assert!(shown.contains("ManagedKey(version 1, ..)"), "{shown}");
    }
}
