//! Parameters that are changed while the process runs, in the words of whoever changes them.

use crate::decl::Kind;
use crate::macros::Params;
use crate::parse::{Written, parse};
use crate::problem::Fault;
use crate::secret::Passwords;
use crate::value::Value;
use crate::view::MASK;

/// The parameters with some of them changed: by their names in files, to what would stand there;
/// `None` is the default. Passwords may be encrypted.
///
/// # Errors
/// All that is wrong, one sentence each, without secrets.
pub fn altered<P: Params>(
    params: &P,
    changes: &[(String, Option<String>)],
    passwords: &Passwords,
) -> Result<P, Vec<String>> {
    let mut values = params.to_values();
    let mut problems = Vec::new();
    for (name, text) in changes {
        let Some(decl) = values.declaration(name) else {
            problems.push(format!("'{name}' is not a parameter"));
            continue;
        };
        if !decl.modifiable() {
            problems.push(format!("'{name}' cannot be changed while the process runs"));
            continue;
        }
        let value = match text {
            None => Ok(decl.default_value()),
            Some(text) => {
                let written = Written {
                    text,
                    literal: true,
                    shown: if decl.kind == Kind::Secret {
                        MASK
                    } else {
                        text
                    },
                };
                let parsed = parse(decl, &written);
                parsed
                    .map(|parsed| parsed.value)
                    .map_err(|fault| Fault::from(fault).to_string())
            }
        };
        let value = value.and_then(|value| match value {
            Value::Secret(secret) => passwords.clear(secret.reveal()).map(Value::Secret),
            value => Ok(value),
        });
        match value {
            Ok(value) => values.set(decl.name, value),
            Err(reason) => problems.push(format!("'{name}': {reason}")),
        }
    }
    if problems.is_empty() {
        Ok(P::from_values(&values))
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::params::{KeyManager, KeyParams};

    fn alter(changes: &[(&str, Option<&str>)]) -> Result<KeyParams, Vec<String>> {
        let owned =
            |(name, text): &(&str, Option<&str>)| ((*name).to_owned(), text.map(str::to_owned));
        let changes: Vec<_> = changes.iter().map(owned).collect();
        altered(&KeyParams::default(), &changes, &Passwords::default())
    }

    #[test]
    fn values_are_understood_as_in_a_file() {
        let params = alter(&[
            ("key_manager", Some("vault")),
            ("Vault.token", Some("plain:s3cret")),
            ("vault.timeout", Some("2000ms")),
            ("vault.port", Some("8201")),
            ("vault.tls", Some("false")),
            ("vault.mount", None),
        ]);
        let params = params.unwrap();
        assert_eq!(params.key_manager, KeyManager::Vault);
        assert_eq!(params.vault_token.unwrap().reveal(), "s3cret");
        assert_eq!(params.vault_timeout, Duration::from_secs(2));
        assert_eq!((params.vault_port, params.vault_tls), (8201, false));
        assert_eq!(params.vault_mount, "secret");
    }

    #[test]
    fn all_that_is_wrong_is_told_without_secrets() {
        let problems = alter(&[
            ("key_manager", Some("volt")),
            ("vault.port", Some("many")),
            ("vault.token", Some("enc:v2:s3cret")),
            ("threads", Some("1")),
        ]);
        let problems = problems.unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[3].contains("'threads' is not a parameter"));
        assert!(!problems.concat().contains("s3cret"), "{problems:?}");
    }
}
