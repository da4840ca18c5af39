//! Tokens that stand for a login: JSON Web Tokens, signed by HMAC.
//!
//! Source: RFC 7519 (claims), RFC 7515 (signature), RFC 7518, section 3.2 (HS256 and its like).
//!
//! Left out: signatures by the key of a certificate, which come with HTTPS, and tokens that others
//! have signed.
//!
//! The invariant: a token that is accepted was signed by the key in force, with the algorithm in
//! force, and has not expired. What a header says about itself decides nothing.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Identity, password};

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl TokenAlgorithm {
    /// As tokens spell it.
    fn word(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Hs256 => hmac::HMAC_SHA256,
            Self::Hs384 => hmac::HMAC_SHA384,
            Self::Hs512 => hmac::HMAC_SHA512,
        }
    }
}

/// What tokens are signed with. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// How tokens are made.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// `admin_jwt_algorithm`
    pub algorithm: TokenAlgorithm,
    /// The key that `admin_jwt_key` names; `None`: a random one, which tokens do not outlive.
    pub key: Option<SigningKey>,
    /// `admin_jwt_issuer`
    pub issuer: String,
    /// `admin_jwt_max_age`: the longest life of a token.
    pub max_age: Duration,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            algorithm: TokenAlgorithm::Hs256,
            key: None,
            issuer: "maxscale".into(),
            max_age: Duration::from_secs(86_400),
        }
    }
}

/// Makes tokens and knows them again.
pub(crate) struct Tokens {
    algorithm: TokenAlgorithm,
    key: hmac::Key,
    issuer: String,
    max_age: Duration,
}

impl Tokens {
    /// With the key of the configuration, or a random one.
    pub(crate) fn new(config: &TokenConfig) -> std::io::Result<Self> {
        let random;
        let key = match &config.key {
            Some(key) => key,
            None => {
                random = SigningKey::new(&password::random::<64>()?);
                &random
            }
        };
        Ok(Self {
            algorithm: config.algorithm,
            key: hmac::Key::new(config.algorithm.hmac(), &key.0),
            issuer: config.issuer.clone(),
            max_age: config.max_age,
        })
    }

    /// A token of somebody who has logged in, for at most this long.
    pub(crate) fn issue(&self, who: &Identity, age: Duration, now: SystemTime) -> String {
        let now = seconds(now);
        let claims = json!({
            "iss": self.issuer,
            "sub": who.name,
            "aud": who.name,
            "account": who.account.word(),
            "iat": now,
            "exp": now.saturating_add(age.min(self.max_age).as_secs()),
        });
        let head = json!({ "alg": self.algorithm.word(), "typ": "JWT" });
        let signed = [head, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// The name of the user that a token stands for.
    pub(crate) fn bearer(&self, token: &str, now: SystemTime) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        let (head, claims) = signed.split_once('.')?;
        let (head, claims) = (parsed(head)?, parsed(claims)?);
        let fits = head.get("alg")?.as_str()? == self.algorithm.word()
            && claims.get("iss")?.as_str()? == self.issuer
            && claims.get("exp")?.as_u64()? > seconds(now);
        let name = claims.get("sub")?.as_str()?;
        fits.then(|| name.to_owned())
    }
}

fn parsed(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Account;

    fn tokens(algorithm: TokenAlgorithm, key: &[u8]) -> Tokens {
        let config = TokenConfig {
            algorithm,
            key: Some(SigningKey::new(key)),
            ..TokenConfig::default()
        };
        Tokens::new(&config).expect("a key")
    }

    fn eve() -> Identity {
        Identity {
            name: "eve".into(),
            account: Account::Basic,
        }
    }

    /// The signature of RFC 7515, appendix A.1, whose header and claims have another order and
    /// other blanks than ours.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = URL_SAFE_NO_PAD.decode(key).expect("a key");
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                      eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = hmac::sign(&tokens(TokenAlgorithm::Hs256, &key).key, signed.as_bytes());
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature.as_ref()),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn a_token_counts_until_it_expires() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for algorithm in [
            TokenAlgorithm::Hs256,
            TokenAlgorithm::Hs384,
            TokenAlgorithm::Hs512,
        ] {
            let tokens = tokens(algorithm, &[7; 32]);
            let token = tokens.issue(&eve(), Duration::from_secs(10), now);
            let after = |seconds| tokens.bearer(&token, now + Duration::from_secs(seconds));
            assert_eq!(after(9).as_deref(), Some("eve"));
            assert_eq!(after(10), None);
        }
        let tokens = tokens(TokenAlgorithm::Hs256, &[7; 32]);
        let token = tokens.issue(&eve(), Duration::MAX, now);
        let day = Duration::from_secs(86_400);
        assert!(
            tokens
                .bearer(&token, now + day - Duration::from_secs(1))
                .is_some()
        );
        assert_eq!(tokens.bearer(&token, now + day), None, "admin_jwt_max_age");
    }

    #[test]
    fn what_others_signed_or_changed_does_not_count() {
        let now = SystemTime::now();
        let ours = tokens(TokenAlgorithm::Hs256, &[7; 32]);
        let token = ours.issue(&eve(), Duration::from_secs(10), now);
        assert!(ours.bearer(&token, now).is_some());
        for other in [
            tokens(TokenAlgorithm::Hs256, &[8; 32]),
            tokens(TokenAlgorithm::Hs384, &[7; 32]),
            Tokens::new(&TokenConfig::default()).expect("a key"),
        ] {
            assert_eq!(other.bearer(&token, now), None);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let admin = URL_SAFE_NO_PAD
            .encode(json!({ "iss": "maxscale", "sub": "admin", "exp": u64::MAX }).to_string());
        for forged in [
            String::new(),
            "x.y.z".into(),
            format!("{none}.{admin}."),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{admin}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
        ] {
            assert_eq!(ours.bearer(&forged, now), None, "{forged}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let shown = format!("{:?}", SigningKey::new(&[171; 32]));
        assert_eq!(shown, "SigningKey(..)");
    }
}
