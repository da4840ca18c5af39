//! Passwords that are encrypted in the configuration: the file with the key, the two forms of an
//! encrypted password, and the helper programs that make both.
//!
//! The invariant: a key and a password are shown to nobody but on the standard output of the
//! program that was asked for it.

mod cipher;
mod command;
mod hex;
mod keyfile;

use std::path::Path;

use tidegate_config::{Decrypt, Keys, Secret};

pub(crate) use command::{Tool, ToolError, Words, ask, run};
use keyfile::KeyFile;

/// The key file of a directory, if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk;

impl Keys for Disk {
    fn open(&self, directory: &Path) -> Result<Option<Box<dyn Decrypt>>, String> {
        match KeyFile::read(&directory.join(keyfile::NAME)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Decrypt for KeyFile {
    fn decrypt(&self, cipher: &str) -> Result<Secret, String> {
        let clear = cipher::decrypt(self.keys(), cipher).map_err(|error| error.to_string())?;
        Ok(Secret::new(clear.as_str()))
    }
}
