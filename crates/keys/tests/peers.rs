//! Key managers over the network: what comes of their answers, and of their silence.

use std::path::PathBuf;
use std::time::Duration;

use tidegate_config::Secret;
use tidegate_config::params::{KeyManager, KeyParams};
use tidegate_keys::{KeyError, Keys, ManagedKey, Version};
use tidegate_testkit::keys::{KmipPeer, Mood, VaultPeer, new_key};
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::{Blackhole, PortLease};

const HERE: &str = "127.0.0.1";

fn digits(key: &ManagedKey) -> String {
    key.bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn vault(peer: &VaultPeer) -> KeyParams {
    KeyParams {
        key_manager: KeyManager::Vault,
        vault_host: HERE.into(),
        vault_port: peer.address().port(),
        vault_tls: false,
        vault_token: Some(Secret::new(peer.token())),
        vault_timeout: Duration::from_secs(20),
        ..KeyParams::default()
    }
}

async fn get(params: &KeyParams, id: &str, version: Version) -> Result<ManagedKey, KeyError> {
    let keys = Keys::open(params.clone())?;
    keys.key(id, version).await
}

/// The error, which quotes neither token nor key.
async fn refusal(params: &KeyParams, id: &str, expect: &str) {
    let error = get(params, id, Version::Latest).await.expect_err(expect);
    let shown = format!("{error} {error:?}");
    tidegate_testkit::secrets::check("an error", &shown);
    assert!(shown.contains(expect), "{shown}");
    assert!(
        shown.contains("127.0.0.1:") || params.kmip_host.as_deref() == Some("localhost"),
        "names the place: {shown}"
    );
}

#[tokio::test]
async fn vault_has_versions_of_keys() {
    let peer = VaultPeer::start(None).unwrap();
    let keys = [16, 24, 32].map(|len| new_key(len).unwrap());
    keys.iter().for_each(|key| peer.put("team/jwt key", key));
    keys.iter().for_each(|key| peer.put("team/jwt%20key", key));
    let params = vault(&peer);
    let latest = get(&params, "team/jwt key", Version::Latest).await.unwrap();
    assert_eq!((latest.version(), digits(&latest)), (3, keys[2].clone()));
    for (index, expect) in keys.iter().enumerate() {
        let number = index as u64 + 1;
        let key = get(&params, "team/jwt key", Version::Number(number)).await;
        let key = key.unwrap();
        assert_eq!((key.version(), digits(&key)), (number, expect.clone()));
    }
    let error = get(&params, "team/jwt key", Version::Number(4)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("version 4"), "{error}");
    assert_eq!(peer.accepted(), 5, "nothing is kept");
}

#[tokio::test]
async fn what_vault_refuses() {
    let peer = VaultPeer::start(None).unwrap();
    peer.put("jwt", &new_key(32).unwrap());
    peer.put("short", &new_key(15).unwrap());
    peer.put("words", "no digits in here, and far from it");
    let params = vault(&peer);
    refusal(&params, "other", "there is no key 'other'").await;
    for outside in ["", "../jwt", "a//b", "./jwt"] {
        refusal(&params, outside, "there is no key").await;
    }
    assert_eq!(peer.accepted(), 1, "what can be no id is not asked for");
    refusal(&params, "short", "30 hexadecimal digits").await;
    refusal(&params, "words", "no hexadecimal digit").await;
    let mount = KeyParams {
        vault_mount: "kv".into(),
        ..params.clone()
    };
    refusal(&mount, "jwt", "'kv/jwt' must be there").await;
    let token = KeyParams {
        vault_token: Some(Secret::new("hvs.something-else")),
        ..params.clone()
    };
    refusal(&token, "jwt", "vault.token is wrong").await;
    for (mood, expect) in [
        (Mood::Sealed, "sealed"),
        (Mood::Garbled, "not that of a key-value store"),
        (Mood::Abrupt, "cannot be reached"),
    ] {
        peer.set(mood);
        refusal(&params, "jwt", expect).await;
    }
    peer.set(Mood::Silent);
    let hasty = KeyParams {
        vault_timeout: Duration::from_millis(50),
        ..params.clone()
    };
    refusal(&hasty, "jwt", "did not answer within 50 ms").await;
    let hole = Blackhole::open().unwrap();
    let lost = KeyParams {
        vault_port: hole.address().port(),
        ..hasty
    };
    refusal(&lost, "jwt", "did not answer within 50 ms").await;
    let free = PortLease::take().unwrap();
    let absent = KeyParams {
        vault_port: free.port(),
        ..params
    };
    refusal(&absent, "jwt", "cannot be reached").await;
}

#[tokio::test]
async fn vault_over_https_is_verified() {
    let authority = Authority::new("keys").unwrap();
    let other = Authority::new("others").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let identity = authority.issue(&Wish::new("vault")).unwrap();
    let peer = VaultPeer::start(Some(&identity)).unwrap();
    let key = new_key(32).unwrap();
    peer.put("jwt", &key);
    let params = KeyParams {
        vault_tls: true,
        vault_ca: Some(write("ca", authority.pem())),
        ..vault(&peer)
    };
    let got = get(&params, "jwt", Version::Latest).await.unwrap();
    assert_eq!(digits(&got), key);
    let stranger = KeyParams {
        vault_ca: Some(write("others", other.pem())),
        ..params.clone()
    };
    refusal(&stranger, "jwt", "certificate is refused").await;
    let plain = KeyParams {
        vault_tls: false,
        ..params.clone()
    };
    refusal(&plain, "jwt", "cannot be reached").await;
    let misnamed = authority
        .issue(&Wish::new("vault").hosts(&["db.example"]))
        .unwrap();
    let peer = VaultPeer::start(Some(&misnamed)).unwrap();
    let misnamed = KeyParams {
        vault_port: peer.address().port(),
        ..params
    };
    refusal(&misnamed, "jwt", "certificate is refused").await;
}

#[tokio::test]
async fn kmip_hands_keys_over() {
    let authority = Authority::new("keys").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca");
    std::fs::write(&ca, authority.pem()).unwrap();
    let client = authority.issue(&Wish::new("tidegate")).unwrap();
    let client = client.write_to(folder.path(), "client").unwrap();
    let server = authority.issue(&Wish::new("kmip")).unwrap();
    let peer = KmipPeer::start(&server, authority.pem()).unwrap();
    let keys = [16, 24, 32].map(|len| new_key(len).unwrap());
    for key in &keys {
        peer.put(&format!("raw-{}", key.len()), key);
        peer.put_transparent(&format!("transparent-{}", key.len()), key);
    }
    let params = KeyParams {
        key_manager: KeyManager::Kmip,
        kmip_host: Some(HERE.into()),
        kmip_port: peer.address().port(),
        kmip_ca: Some(ca),
        kmip_cert: Some(client.cert.clone()),
        kmip_key: Some(client.key.clone()),
        ..KeyParams::default()
    };
    for key in &keys {
        for form in ["raw", "transparent"] {
            let id = format!("{form}-{}", key.len());
            let got = get(&params, &id, Version::Latest).await.unwrap();
            assert_eq!((got.version(), digits(&got)), (1, key.clone()), "{id}");
        }
    }
    let error = get(&params, "raw-64", Version::Number(2))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no version 2"), "{error}");

    peer.put("short", &new_key(20).unwrap());
    peer.put_certificate("certificate");
    refusal(&params, "other", "there is no key 'other'").await;
    refusal(&params, "short", "160 bits").await;
    refusal(&params, "certificate", "no symmetric key").await;
    for (mood, expect) in [
        (Mood::Sealed, "may not read it ('not for you')"),
        (Mood::Garbled, "this is not KMIP"),
        (Mood::Abrupt, "cannot be reached"),
    ] {
        peer.set(mood);
        refusal(&params, "raw-64", expect).await;
    }
    peer.set(Mood::Well);

    let other = Authority::new("others").unwrap();
    let stranger = other.issue(&Wish::new("tidegate")).unwrap();
    let stranger = stranger.write_to(folder.path(), "stranger").unwrap();
    let unknown = KeyParams {
        kmip_cert: Some(stranger.cert),
        kmip_key: Some(stranger.key.clone()),
        ..params.clone()
    };
    refusal(&unknown, "raw-64", "cannot be reached").await;
    let unfit = KeyParams {
        kmip_key: Some(stranger.key),
        ..params
    };
    let error = Keys::open(unfit).unwrap_err().to_string();
    assert!(error.starts_with("kmip."), "{error}");
}
