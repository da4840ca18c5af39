//! Both of our sides with each other, by every plugin, with a workshop that knows one password.

use std::sync::Arc;

use tidegate_wire::auth::native::{self, NativeHash};
use tidegate_wire::auth::{
    Asking, Done, Method, NATIVE, Nonces, ParsecKey, PasswordCheck, Sealed, Secret, Work, sha2,
};
use tidegate_wire::frame::split_packet;
use tidegate_wire::login::{
    ClientLogin, ClientStep, Identity, LoginError, MAX_PACKET, ServerInfo, ServerLogin,
    ServerLoginConfig, ServerStep, Verify,
};
use tidegate_wire::{Caps, ErrPacket, OkPacket, SecretBytes, Status};

const SCRAMBLE: [u8; 20] = *b"yn=\"4z/x/\"WtaheDa<H4";
const KEY: [u8; 32] = [4; 32];

/// Bytes of what is sealed with an RSA key of 2048 bits.
const SEAL_LEN: usize = 256;

/// Does the work of both sides. A signature is the password and the message, cut to size; sealing
/// is filling up.
#[derive(Default)]
struct Workshop {
    /// Who was here before.
    remembered: bool,
    done: Vec<&'static str>,
}

fn signature(password: &[u8], message: &[u8]) -> [u8; 64] {
    let mut signature = [0; 64];
    let bytes = password.iter().chain(message);
    signature
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    signature
}

impl Workshop {
    fn perform(&mut self, work: &Work) -> Done {
        let wrong = Err("wrong".to_owned());
        let is_right = |password: &[u8]| password == b"secret";
        match work {
            Work::Verify {
                message,
                signature: given,
                key,
            } => {
                self.done.push("verify");
                assert_eq!(*key, KEY);
                if signature(b"secret", message) == *given {
                    Ok(SecretBytes::default())
                } else {
                    wrong
                }
            }
            Work::Recall {
                scramble, response, ..
            } => {
                self.done.push("recall");
                let (_, stored) = sha2::stages(b"secret");
                match sha2::check(response, scramble, &stored) {
                    Some(_) if self.remembered => Ok(SecretBytes::new(b"secret")),
                    _ => wrong,
                }
            }
            Work::Check { password, code, .. } => {
                self.done.push("check");
                let password = match password {
                    Sealed::Open(password) => password.to_vec(),
                    Sealed::Rsa { bytes, scramble } => {
                        assert_eq!(bytes.len(), SEAL_LEN);
                        let masked = bytes.iter().take_while(|byte| **byte != b'!');
                        let bytes = masked.zip(scramble.iter().cycle());
                        let mut password: Vec<u8> = bytes.map(|(byte, mask)| byte ^ mask).collect();
                        assert_eq!(password.pop(), Some(0));
                        password
                    }
                };
                let code_fits = code.as_ref().is_none_or(|code| **code == b"123456"[..]);
                if is_right(&password) && code_fits {
                    Ok(password.into())
                } else {
                    wrong
                }
            }
            Work::Seal { key, masked } => {
                assert_eq!(key, b"-----BEGIN PUBLIC KEY-----");
                let mut sealed = masked.to_vec();
                sealed.resize(SEAL_LEN, b'!');
                Ok(sealed.into())
            }
            Work::Sign { password, nonce } => Ok(signature(password, nonce).to_vec().into()),
            Work::SignSlowly {
                password,
                factor,
                salt,
                nonce,
            } => {
                assert_eq!((*factor, &salt[..]), (2, &b"salt"[..]));
                let own = [9; 32];
                let signature = signature(password, &[&nonce[..], &own].concat());
                Ok([&own[..], &signature].concat().into())
            }
        }
    }
}

/// How a login ended, and what was done for it.
struct End {
    secret: Option<Secret>,
    client: Result<ClientStep, LoginError>,
    done: Vec<&'static str>,
}

/// Logs in: a client of ours at a server of ours that lets `methods` prove it.
fn log_in(methods: Vec<Method>, identity: Identity, private: bool, mut workshop: Workshop) -> End {
    let config = ServerLoginConfig {
        version: b"10.11".to_vec(),
        conn_id: 1,
        scramble: SCRAMBLE,
        collation: 8,
        caps_offered: Caps::from_bits(0x1d_81ff_f7fe),
        default_plugin: NATIVE.to_vec(),
        nonces: Nonces::new([5; 32]),
    };
    let mut to_client = Vec::new();
    let mut server = Some(ServerLogin::start(config, &mut to_client));
    let mut client = ClientLogin::new(identity);
    let (mut caps, mut secret) = (Caps::empty(), None);
    loop {
        let mut to_server = Vec::new();
        let mut rest = &to_client[..];
        while let Some(packet) = split_packet(rest, MAX_PACKET).unwrap() {
            rest = &rest[packet.consumed..];
            let step = client.on_packet(&packet.payload, packet.last_seq, &mut to_server);
            match step {
                Ok(ClientStep::NeedMore) => {}
                Ok(ClientStep::Work(work)) => {
                    let done = workshop.perform(&work);
                    client.worked(done, &mut to_server).unwrap();
                }
                client => {
                    return End {
                        secret,
                        client,
                        done: workshop.done,
                    };
                }
            }
        }
        to_client.clear();
        let packet = split_packet(&to_server, MAX_PACKET).unwrap().unwrap();
        assert_eq!(packet.consumed, to_server.len());
        let next = server.take().unwrap();
        let (mut login, mut verdict) = match next.on_packet(&packet.payload, packet.last_seq) {
            Ok(ServerStep::Identify(mut login, hello)) => {
                caps = hello.caps;
                let verdict = login.verify(methods.clone(), private, &mut to_client);
                (login, verdict)
            }
            Ok(ServerStep::Answered(mut login)) => {
                let verdict = login.go_on(&mut to_client);
                (login, verdict)
            }
            other => panic!("{other:?}"),
        };
        while let Verify::Work(work) = verdict {
            verdict = login.worked(workshop.perform(&work), &mut to_client);
        }
        match verdict {
            Verify::Asked => server = Some(login),
            Verify::Granted(held) => {
                secret = Some(held);
                login.write_ok(&OkPacket::new(Status::AUTOCOMMIT), caps, &mut to_client);
            }
            Verify::Denied { .. } | Verify::Work(_) => {
                let denied = ErrPacket {
                    code: 1045,
                    sqlstate: *b"28000",
                    message: b"no",
                };
                login.write_err(&denied, &mut to_client);
            }
        }
    }
}

fn app(password: &[u8]) -> Identity {
    Identity::new(b"app", Secret::of_password(SecretBytes::new(password)))
}

fn sha2(stored: &[u8]) -> Method {
    Method::Password {
        asking: Asking::Sha2 {
            key: Some(Arc::from(&b"-----BEGIN PUBLIC KEY-----"[..])),
        },
        check: PasswordCheck::Sha2(stored.into()),
    }
}

fn password(asking: Asking) -> Method {
    Method::Password {
        asking,
        check: PasswordCheck::Pam("mysql".into()),
    }
}

fn parsec() -> Method {
    Method::Parsec(ParsecKey {
        factor: 2,
        salt: b"salt".to_vec(),
        key: KEY,
    })
}

/// What the session holds for servers afterwards.
fn holds(secret: &Option<Secret>) -> &'static str {
    match secret {
        None => "denied",
        Some(Secret::None) => "nothing",
        Some(Secret::Sha1(_)) => "sha1",
        Some(Secret::Password(password)) if **password == b"secret"[..] => "password",
        Some(Secret::Codes { code, .. }) if **code == b"123456"[..] => "codes",
        Some(Secret::Untold) => "untold",
        Some(Secret::Password(_) | Secret::Codes { .. }) => "wrong",
    }
}

#[track_caller]
fn check(methods: &[Method], given: &[u8], private: bool, expect: &str, done: &[&str]) {
    let mut identity = app(given);
    identity.private = private;
    let end = log_in(methods.to_vec(), identity, private, Workshop::default());
    assert_eq!(holds(&end.secret), expect, "{:?}", end.client);
    assert_eq!(end.done, done);
    let let_in = matches!(end.client, Ok(ClientStep::Done { .. }));
    assert_eq!(let_in, expect != "denied", "{:?}", end.client);
}

#[test]
fn every_plugin_lets_the_right_password_in_and_no_other() {
    let ed25519 = [Method::Ed25519(KEY)];
    for private in [false, true] {
        check(&ed25519, b"secret", private, "untold", &["verify"]);
        check(&ed25519, b"wrong", private, "denied", &["verify"]);
        check(&[parsec()], b"secret", private, "untold", &["verify"]);
        check(&[parsec()], b"wrong", private, "denied", &["verify"]);
        let slow = ["recall", "check"];
        check(&[sha2(b"x")], b"secret", private, "password", &slow);
        check(&[sha2(b"x")], b"wrong", private, "denied", &slow);
        check(&[sha2(b"x")], b"", private, "denied", &[]);
        check(&[sha2(b"")], b"", private, "nothing", &[]);
        check(&[sha2(b"")], b"secret", private, "denied", &[]);
    }
    for asking in [Asking::Clear, Asking::Dialog { code: false }] {
        let methods = [password(asking)];
        check(&methods, b"secret", true, "password", &["check"]);
        check(&methods, b"wrong", true, "denied", &["check"]);
    }
}

#[test]
fn who_was_here_before_is_let_in_the_fast_way() {
    for private in [false, true] {
        let workshop = Workshop {
            remembered: true,
            ..Workshop::default()
        };
        let end = log_in(vec![sha2(b"x")], app(b"secret"), private, workshop);
        assert_eq!((holds(&end.secret), end.done), ("password", vec!["recall"]));
        assert!(matches!(end.client, Ok(ClientStep::Done { .. })));
    }
}

#[test]
fn a_password_is_not_asked_for_where_anybody_could_read_it() {
    let unsafe_method = Method::Password {
        asking: Asking::Sha2 { key: None },
        check: PasswordCheck::Sha2(b"x"[..].into()),
    };
    check(&[unsafe_method], b"secret", false, "denied", &["recall"]);
}

#[test]
fn two_questions_are_two_answers() {
    let methods = vec![password(Asking::Dialog { code: true })];
    let identity = |code: &[u8]| {
        let secret = Secret::Codes {
            password: SecretBytes::new(b"secret"),
            code: SecretBytes::new(code),
        };
        Identity {
            private: true,
            ..Identity::new(b"app", secret)
        }
    };
    let end = log_in(
        methods.clone(),
        identity(b"123456"),
        true,
        Workshop::default(),
    );
    assert_eq!(holds(&end.secret), "codes");
    let end = log_in(
        methods.clone(),
        identity(b"654321"),
        true,
        Workshop::default(),
    );
    assert_eq!(holds(&end.secret), "denied");
    let mut only_password = app(b"secret");
    only_password.private = true;
    let end = log_in(methods, only_password, true, Workshop::default());
    assert!(matches!(end.client, Err(LoginError::CannotAnswer { .. })));
}

/// What a server's questions of `dialog` are answered with; the first one comes with the switch.
fn answers(secret: Secret, questions: &[&str]) -> Vec<Option<Vec<u8>>> {
    let server = ServerInfo {
        version: b"10.11".to_vec(),
        thread_id: 1,
        caps: Caps::towards_server(Caps::empty()),
        offered: Caps::empty(),
        collation: 45,
        status: Status::AUTOCOMMIT,
        scramble: SCRAMBLE,
    };
    let identity = Identity {
        private: true,
        ..Identity::new(b"app", secret)
    };
    let mut login = ClientLogin::change_user(identity, server, &mut Vec::new());
    let mut given = Vec::new();
    for (index, text) in questions.iter().enumerate() {
        let mut packet = [b"\x04", text.as_bytes()].concat();
        if index == 0 {
            packet = [b"\xfedialog\0", &packet[..]].concat();
        }
        let mut out = Vec::new();
        let seq = u8::try_from(2 * index + 1).expect("few");
        login.on_packet(&packet, seq, &mut out).expect("a question");
        let answer = out.get(4..).unwrap_or_default().split_last();
        given.push(answer.map(|(_, text)| text.to_vec()));
    }
    given
}

#[test]
fn servers_are_told_the_password_and_the_code_by_what_they_ask() {
    let password = || Secret::of_password(SecretBytes::new(b"secret"));
    let both = || Secret::Codes {
        password: SecretBytes::new(b"secret"),
        code: SecretBytes::new(b"123456"),
    };
    type Case<'a> = (Secret, &'a [&'a str], &'a [Option<&'a str>]);
    let cases: [Case<'_>; 7] = [
        (password(), &["Password: "], &[Some("secret")]),
        (password(), &[""], &[Some("secret")]),
        (password(), &["Welcome, app\nPASSWORD:"], &[Some("secret")]),
        (password(), &["Passphrase: "], &[Some("secret")]),
        (
            password(),
            &["Password: ", "Code: "],
            &[Some("secret"), None],
        ),
        (
            both(),
            &["Password: ", "Verification code: "],
            &[Some("secret"), Some("123456")],
        ),
        (
            both(),
            &["Token", "A word\nPassword: "],
            &[Some("123456"), Some("secret")],
        ),
    ];
    for (secret, questions, expect) in cases {
        let expect: Vec<_> = expect
            .iter()
            .map(|answer| answer.map(|text| text.as_bytes().to_vec()))
            .collect();
        assert_eq!(answers(secret, questions), expect, "{questions:?}");
    }
}

#[test]
fn methods_are_tried_in_turn_until_one_is_right() {
    let other = || Method::Native(native::hash(b"other"));
    let unknown = Method::Native(NativeHash::UNKNOWN_USER);
    check(
        &[other(), Method::Ed25519(KEY)],
        b"secret",
        false,
        "untold",
        &["verify"],
    );
    check(
        &[Method::Ed25519(KEY), other()],
        b"other",
        false,
        "sha1",
        &["verify"],
    );
    check(
        &[unknown.clone(), parsec(), sha2(b"x")],
        b"secret",
        true,
        "untold",
        &["verify"],
    );
    check(&[unknown, other()], b"secret", true, "denied", &[]);
    check(&[], b"secret", true, "denied", &[]);
}

#[test]
fn a_server_that_asks_for_what_we_do_not_hold_is_an_error() {
    for method in [Method::Ed25519(KEY), parsec(), sha2(b"x")] {
        for secret in [
            Secret::Untold,
            Secret::Sha1(native::Proof::of_password(b"secret")),
        ] {
            let identity = Identity::new(b"app", secret);
            let end = log_in(vec![method.clone()], identity, true, Workshop::default());
            assert!(matches!(end.client, Err(LoginError::CannotAnswer { .. })));
        }
    }
}
