//! Logins recorded from MariaDB 10.11.19 (Debian 12) and its command line client (libmariadb 3.3.20),
//! and logins of both our sides with each other.

use tidegate_wire::auth::native::{self, NativeHash, Proof};
use tidegate_wire::auth::{Asking, CLEAR, Method, NATIVE, Nonces, PasswordCheck, SHA2, Secret};
use tidegate_wire::frame::{Header, frame_into, split_packet};
use tidegate_wire::handshake::{
    AuthSwitch, ChangeUser, Greeting, HandshakeResponse, MAX_ATTRIBUTES,
};
use tidegate_wire::login::{
    ClientHello, ClientLogin, ClientStep, Identity, LoginError, MAX_PACKET, ServerInfo,
    ServerLogin, ServerLoginConfig, ServerStep, Verify,
};
use tidegate_wire::{Caps, ErrPacket, OkPacket, SecretBytes, Status, WireError};

const GREETING: &[u8] = b"h\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1-log\0B\0\0\0yn=\"4z/x\0\xfe\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0/\"WtaheDa<H4\0mysql_native_password\0";
const SCRAMBLE: [u8; 20] = *b"yn=\"4z/x/\"WtaheDa<H4";
/// The client's answer for user `app`, password `secret`, database `t`.
const RESPONSE: &[u8] = b"\xb9\0\0\x01\x8c\xa2\xbf\0\0\0\x10\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1d\0\0\0app\0\x14\xca\xf4\xe0\x05\x98\xf6\xa5r\x0f\xa2\xf5\x01o\xb4\xe8 V('\xe2t\0mysql_native_password\0g\x03_os\x05Linux\x0c_client_name\nlibmariadb\x04_pid\x044455\x0f_client_version\x063.3.20\x09_platform\x06x86_64\x0cprogram_name\x05mysql";
const OK_WITH_SCHEMA: &[u8] = b"\x0d\0\0\x02\0\0\0\x02@\0\0\0\x04\x01\x02\x01t";
const DENIED: &[u8] =
    b"G\0\0\x02\xff\x15\x04#28000Access denied for user 'app'@'localhost' (using password: YES)";
/// The answer to another login that had offered `caching_sha2_password` first, and what was sent then.
const SWITCH: &[u8] = b",\0\0\x02\xfemysql_native_password\0vpNt~=Rc}iw;^H.My:Rp\0";
const SWITCH_ANSWER: &[u8] =
    b"\x14\0\0\x03\xc8.\\\xab\x0c\xc9\x1a\xccd\xc57\x7f\xb2\xa7\xd3\x87\x18\xc5\xe2\x1a";

fn payload(packet: &[u8]) -> &[u8] {
    &packet[Header::LEN..]
}

fn config(caps_offered: Caps) -> ServerLoginConfig {
    ServerLoginConfig {
        version: b"5.5.5-10.11.19-MariaDB-0+deb12u1-log".to_vec(),
        conn_id: 66,
        scramble: SCRAMBLE,
        collation: 8,
        caps_offered,
        default_plugin: NATIVE.to_vec(),
        nonces: Nonces::new([5; 32]),
    }
}

fn offered() -> Caps {
    Greeting::parse(payload(GREETING)).unwrap().caps
}

fn app(secret: Secret) -> Identity {
    let mut identity = Identity::new(b"app", secret);
    identity.database = Some(b"t".to_vec());
    identity
}

/// Lets a client prove itself by `mysql_native_password`.
fn by_native(login: &mut ServerLogin, hash: &NativeHash, out: &mut Vec<u8>) -> Verify {
    login.verify(vec![Method::Native(*hash)], false, out)
}

fn password(text: &[u8]) -> Secret {
    Secret::Password(SecretBytes::new(text))
}

#[test]
fn recorded_packets_are_encoded_as_they_came() {
    let greeting = Greeting::parse(payload(GREETING)).unwrap();
    assert_eq!((greeting.conn_id, greeting.collation), (66, 8));
    assert_eq!(greeting.caps, Caps::from_bits(0x1d_81ff_f7fe));
    let mut out = Vec::new();
    greeting.encode(&mut out);
    assert_eq!(out, payload(GREETING));

    let response = HandshakeResponse::parse(payload(RESPONSE), greeting.caps).unwrap();
    assert_eq!(response.user, b"app");
    assert_eq!(response.attributes.len(), 6);
    assert_eq!(response.attributes[5].1, b"mysql");
    let mut out = Vec::new();
    response.encode(&mut out);
    assert_eq!(out, payload(RESPONSE));

    let mut out = Vec::new();
    AuthSwitch::parse(payload(SWITCH)).unwrap().encode(&mut out);
    assert_eq!(out, payload(SWITCH));
}

#[test]
fn cut_packets_are_errors() {
    /// Where the client's authentication data ends; database, plugin and attributes may be left out.
    const ANSWERED: usize = 32 + 4 + 21;
    /// Where the attributes begin.
    const NAMED: usize = ANSWERED + 2 + 22;
    let whole = payload(RESPONSE);
    for len in (0..ANSWERED).chain(NAMED + 1..whole.len()) {
        let parsed = HandshakeResponse::parse(&whole[..len], offered());
        assert!(parsed.is_err(), "{len}");
    }
    for len in [ANSWERED, ANSWERED + 2, NAMED] {
        let parsed = HandshakeResponse::parse(&whole[..len], offered()).unwrap();
        assert_eq!(parsed.attributes, []);
    }
    let greeting = payload(GREETING);
    for len in 0..greeting.len() - 23 {
        assert!(Greeting::parse(&greeting[..len]).is_err(), "{len}");
    }
}

#[test]
fn attributes_are_counted() {
    let mut response = HandshakeResponse::parse(payload(RESPONSE), offered()).unwrap();
    for (count, allowed) in [(MAX_ATTRIBUTES, true), (MAX_ATTRIBUTES + 1, false)] {
        response.attributes = vec![(Vec::new(), Vec::new()); count];
        let mut out = Vec::new();
        response.encode(&mut out);
        assert_eq!(HandshakeResponse::parse(&out, offered()).is_ok(), allowed);
    }
}

/// The server's side with a real client's bytes.
fn identify(response: &[u8], caps: Caps) -> Result<(ServerLogin, Box<ClientHello>), LoginError> {
    let mut out = Vec::new();
    let login = ServerLogin::start(config(caps), &mut out);
    assert_eq!(login.seq(), 1);
    match login.on_packet(payload(response), response[3])? {
        ServerStep::Identify(login, hello) => Ok((login, hello)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn our_greeting_is_the_servers() {
    let mut out = Vec::new();
    ServerLogin::start(config(offered()), &mut out);
    assert_eq!(out, GREETING);
}

#[test]
fn a_real_client_logs_in() {
    let (mut login, hello) = identify(RESPONSE, offered()).unwrap();
    assert_eq!(hello.user, b"app");
    assert_eq!(hello.database.as_deref(), Some(&b"t"[..]));
    assert_eq!((hello.collation, hello.max_packet), (Some(33), 0x10_0000));
    assert!(
        hello
            .caps
            .contains(Caps::SESSION_TRACK | Caps::CACHE_METADATA)
    );
    let mut out = Vec::new();
    let verdict = by_native(&mut login, &native::hash(b"secret"), &mut out);
    assert!(matches!(verdict, Verify::Granted(_)) && out.is_empty());
    let ok = OkPacket {
        changes: b"\x01\x02\x01t",
        ..OkPacket::new(Status::AUTOCOMMIT)
    };
    login.write_ok(&ok, hello.caps, &mut out);
    assert_eq!(out, OK_WITH_SCHEMA);
}

#[test]
fn a_real_client_with_a_wrong_password_is_denied() {
    for hash in [
        native::hash(b"other"),
        NativeHash::EMPTY,
        NativeHash::UNKNOWN_USER,
    ] {
        let (mut login, _) = identify(RESPONSE, offered()).unwrap();
        let mut out = Vec::new();
        assert!(matches!(
            by_native(&mut login, &hash, &mut out),
            Verify::Denied { .. }
        ));
        let err = ErrPacket::parse(payload(DENIED)).unwrap();
        login.write_err(&err, &mut out);
        assert_eq!(out, DENIED);
    }
}

#[test]
fn we_log_in_to_a_real_server() {
    let mut login = ClientLogin::new(app(password(b"secret")));
    let mut out = Vec::new();
    let step = login.on_packet(payload(GREETING), 0, &mut out);
    assert_eq!(step, Ok(ClientStep::NeedMore));
    let sent = HandshakeResponse::parse(payload(&out), offered()).unwrap();
    let real = HandshakeResponse::parse(payload(RESPONSE), offered()).unwrap();
    assert_eq!(sent.auth, real.auth);
    assert_eq!(out[3], 1);
    let step = login.on_packet(payload(OK_WITH_SCHEMA), 2, &mut out);
    let Ok(ClientStep::Done { server, ok }) = step else {
        panic!("{step:?}");
    };
    assert_eq!(ok, payload(OK_WITH_SCHEMA));
    assert_eq!(server.thread_id, 66);
    assert_eq!(server.scramble, SCRAMBLE);
    assert!(server.status.contains(Status::SESSION_STATE_CHANGED));
    let more = login.on_packet(payload(OK_WITH_SCHEMA), 3, &mut out);
    assert!(matches!(more, Err(LoginError::Unexpected { .. })));
}

#[test]
fn a_real_server_asks_for_another_plugin() {
    let mut login = ClientLogin::new(app(password(b"secret")));
    let mut out = Vec::new();
    login.on_packet(payload(GREETING), 0, &mut out).unwrap();
    out.clear();
    let step = login.on_packet(payload(SWITCH), 2, &mut out);
    assert_eq!(step, Ok(ClientStep::NeedMore));
    assert_eq!(out, SWITCH_ANSWER);
}

#[test]
fn a_real_server_refuses_us() {
    let mut login = ClientLogin::new(app(Secret::None));
    let mut out = Vec::new();
    login.on_packet(payload(GREETING), 0, &mut out).unwrap();
    let Ok(ClientStep::Refused(refusal)) = login.on_packet(payload(DENIED), 2, &mut out) else {
        panic!("not refused");
    };
    assert_eq!((refusal.code, &refusal.sqlstate), (1045, b"28000"));
    assert!(refusal.message.starts_with(b"Access denied"));
}

#[test]
fn a_server_may_refuse_before_its_greeting() {
    let mut login = ClientLogin::new(app(Secret::None));
    let blocked = b"\xff\x69\x04Host '10.0.0.1' is blocked";
    let Ok(ClientStep::Refused(refusal)) = login.on_packet(blocked, 0, &mut Vec::new()) else {
        panic!("not refused");
    };
    assert_eq!((refusal.code, &refusal.sqlstate), (1129, b"HY000"));
    assert!(refusal.message.starts_with(b"Host"));
}

/// The client's proof answers a server whose scramble is another.
#[test]
fn a_proof_is_relayed() {
    let (mut front, _) = identify(RESPONSE, offered()).unwrap();
    let verdict = by_native(&mut front, &native::hash(b"secret"), &mut Vec::new());
    let Verify::Granted(proof) = verdict else {
        panic!("{verdict:?}");
    };
    let mut back = ClientLogin::new(app(proof));
    let mut out = Vec::new();
    back.on_packet(payload(GREETING), 0, &mut out).unwrap();
    out.clear();
    back.on_packet(payload(SWITCH), 2, &mut out).unwrap();
    assert_eq!(out, SWITCH_ANSWER);
}

/// Runs both of our sides against each other; what the server's side says in the end.
fn meet(
    mut client: ClientLogin,
    server: ServerLogin,
    greeting: &[u8],
    hash: &NativeHash,
) -> (Option<Secret>, ClientStep) {
    let mut to_client = greeting.to_vec();
    let mut server = Some(server);
    let mut hello_caps = Caps::empty();
    let mut granted = None;
    loop {
        let packet = split_packet(&to_client, MAX_PACKET).unwrap().unwrap();
        assert_eq!(packet.consumed, to_client.len());
        let mut to_server = Vec::new();
        let step = client
            .on_packet(&packet.payload, packet.last_seq, &mut to_server)
            .unwrap();
        match step {
            ClientStep::NeedMore => {}
            ClientStep::StartTls => {
                let request = split_packet(&to_server, MAX_PACKET).unwrap().unwrap();
                let login = server.take().unwrap();
                let next = login.on_packet(&request.payload, request.last_seq);
                let Ok(ServerStep::StartTls(login)) = next else {
                    panic!("{next:?}");
                };
                server = Some(login);
                to_server.clear();
                client.tls_started(&mut to_server);
            }
            ClientStep::Work(work) => panic!("{work:?}"),
            ClientStep::Done { .. } | ClientStep::Refused(_) => return (granted, step),
        }
        let packet = split_packet(&to_server, MAX_PACKET).unwrap().unwrap();
        let next = server.take().unwrap();
        to_client = Vec::new();
        let step = next.on_packet(&packet.payload, packet.last_seq).unwrap();
        let (login, verdict) = match step {
            ServerStep::Identify(mut login, hello) => {
                hello_caps = hello.caps;
                let verdict = by_native(&mut login, hash, &mut to_client);
                (login, verdict)
            }
            ServerStep::Answered(mut login) => {
                let verdict = login.go_on(&mut to_client);
                (login, verdict)
            }
            other => panic!("{other:?}"),
        };
        match verdict {
            Verify::Work(work) => panic!("{work:?}"),
            Verify::Asked => server = Some(login),
            Verify::Denied { .. } => {
                let err = ErrPacket::parse(payload(DENIED)).unwrap();
                login.write_err(&err, &mut to_client);
            }
            Verify::Granted(proof) => {
                granted = Some(proof);
                let ok = OkPacket::new(Status::AUTOCOMMIT);
                login.write_ok(&ok, hello_caps, &mut to_client);
            }
        }
    }
}

#[test]
fn both_sides_agree() {
    for (account, given) in [
        (&b"secret"[..], &b"secret"[..]),
        (b"secret", b"wrong"),
        (b"secret", b""),
        (b"", b""),
        (b"", b"given"),
    ] {
        for tls in [false, true] {
            let mut greeting = Vec::new();
            let offer = if tls {
                offered() | Caps::SSL
            } else {
                offered()
            };
            let server = ServerLogin::start(config(offer), &mut greeting);
            let mut identity = app(password(given));
            if tls {
                identity.caps = identity.caps | Caps::SSL;
            }
            let client = ClientLogin::new(identity);
            let (proof, step) = meet(client, server, &greeting, &native::hash(account));
            assert_eq!(proof.is_some(), account == given);
            assert_eq!(matches!(step, ClientStep::Done { .. }), account == given);
        }
    }
}

#[test]
fn a_client_of_another_plugin_is_asked_again() {
    let response = HandshakeResponse {
        zstd_level: 0,
        plugin: b"caching_sha2_password".to_vec(),
        ..HandshakeResponse::parse(payload(RESPONSE), offered()).unwrap()
    };
    let (mut packet, mut seq) = (Vec::new(), 1);
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    frame_into(&mut packet, &mut seq, &bytes);
    let (mut login, _) = identify(&packet, offered()).unwrap();
    let mut out = Vec::new();
    let hash = native::hash(b"secret");
    assert!(matches!(
        by_native(&mut login, &hash, &mut out),
        Verify::Asked
    ));
    let (mut recorded, own) = (SWITCH.to_vec(), out.clone());
    let scramble = recorded.len() - 21..recorded.len() - 1;
    recorded[scramble].copy_from_slice(&SCRAMBLE);
    assert_eq!(own, recorded);
    let answer = native::scramble_response(&Proof::of_password(b"secret"), &SCRAMBLE);
    let step = login.on_packet(&answer, 3).unwrap();
    let ServerStep::Answered(mut login) = step else {
        panic!("{step:?}");
    };
    assert!(matches!(login.go_on(&mut out), Verify::Granted(_)));
    assert_eq!(login.seq(), 4);
}

/// MySQL's clients from version 9 on know no `mysql_native_password`.
#[test]
fn a_client_that_does_not_know_the_greetings_plugin_is_asked_by_its_own() {
    let response = HandshakeResponse {
        plugin: SHA2.to_vec(),
        auth: SecretBytes::default(),
        ..HandshakeResponse::parse(payload(RESPONSE), offered()).unwrap()
    };
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    let mut packet = Vec::new();
    frame_into(&mut packet, &mut 1, &bytes);
    let (mut login, _) = identify(&packet, offered()).unwrap();
    let method = Method::Password {
        asking: Asking::Sha2 { key: None },
        check: PasswordCheck::Sha2(b"x"[..].into()),
    };
    let mut out = Vec::new();
    let verdict = login.verify(vec![method], true, &mut out);
    assert!(matches!(verdict, Verify::Asked), "{verdict:?}");
    let switch = AuthSwitch::parse(&out[Header::LEN..]).unwrap();
    assert_eq!(switch.plugin, SHA2);
}

#[test]
fn change_user_always_asks_again() {
    let caps = offered();
    let info = ServerInfo {
        version: b"10.11".to_vec(),
        thread_id: 1,
        caps,
        offered: caps,
        collation: 45,
        status: Status::AUTOCOMMIT,
        scramble: SCRAMBLE,
    };
    let mut command = Vec::new();
    let mut client = ClientLogin::change_user(app(password(b"secret")), info, &mut command);
    let (mut server, hello) = ServerLogin::change_user(
        payload(&command),
        command[3],
        caps,
        SCRAMBLE,
        Nonces::default(),
    )
    .unwrap();
    assert_eq!((&hello.user[..], hello.collation), (&b"app"[..], Some(45)));
    let mut out = Vec::new();
    let hash = native::hash(b"secret");
    assert!(matches!(
        by_native(&mut server, &hash, &mut out),
        Verify::Asked
    ));
    let mut answer = Vec::new();
    let step = client.on_packet(payload(&out), out[3], &mut answer);
    assert_eq!(step, Ok(ClientStep::NeedMore));
    let step = server.on_packet(payload(&answer), answer[3]).unwrap();
    let ServerStep::Answered(mut server) = step else {
        panic!("{step:?}");
    };
    assert!(matches!(server.go_on(&mut out), Verify::Granted(_)));
}

#[test]
fn change_user_packets_of_old_clients_are_short() {
    let short = ChangeUser::parse(b"\x11app\0\0t\0", offered()).unwrap();
    assert_eq!(short.collation, None);
    assert_eq!(short.database.as_deref(), Some(&b"t"[..]));
    let padded = ChangeUser::parse(b"\x11app\0\0t\0\0", offered()).unwrap();
    assert_eq!(padded, short);
    assert!(ChangeUser::parse(b"\x11app\0\x14abc", offered()).is_err());
    assert!(ChangeUser::parse(b"\x03select", offered()).is_err());
}

#[track_caller]
fn check_refused(response: &[u8], offer: Caps, expect: LoginError, code: u16) {
    let (mut packet, mut seq) = (Vec::new(), 1);
    frame_into(&mut packet, &mut seq, response);
    let error = identify(&packet, offer).unwrap_err();
    assert_eq!(error, expect);
    assert_eq!(error.client_reply().code, code);
}

#[test]
fn bad_clients_are_refused_with_the_right_number() {
    let tls = offered() | Caps::SSL;
    let real = payload(RESPONSE);
    check_refused(real, tls, LoginError::TlsRequired, 1045);
    let mut ssl_request = real[..32].to_vec();
    ssl_request[1] |= 0x08;
    check_refused(&ssl_request, offered(), LoginError::TlsNotOffered, 1043);
    let mut old = real.to_vec();
    old[1] &= !0x02;
    check_refused(&old, offered(), LoginError::OldProtocol, 1043);
    let long = vec![0; MAX_PACKET + 1];
    let too_long = LoginError::TooLong {
        len: MAX_PACKET + 1,
        limit: MAX_PACKET,
    };
    check_refused(&long, offered(), too_long, 1153);
    let cut = LoginError::Malformed(WireError::Unterminated { at: 32 });
    check_refused(&real[..34], offered(), cut, 1043);
    let http = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let short = WireError::Truncated {
        at: 9,
        needed: 19,
        left: http.len() - 9,
    };
    check_refused(http, offered(), LoginError::Malformed(short), 1043);

    let login = ServerLogin::start(config(offered()), &mut Vec::new());
    let error = login.on_packet(real, 0).unwrap_err();
    assert_eq!(
        error,
        LoginError::OutOfOrder {
            expected: 1,
            got: 0
        }
    );
    assert_eq!(error.client_reply().code, 1156);
}

#[test]
fn an_ssl_request_is_answered_once() {
    let tls = offered() | Caps::SSL;
    let login = ServerLogin::start(config(tls), &mut Vec::new());
    let mut request = payload(RESPONSE)[..32].to_vec();
    request[1] |= 0x08;
    let Ok(ServerStep::StartTls(login)) = login.on_packet(&request, 1) else {
        panic!("no tls");
    };
    let again = login.on_packet(&request, 2).unwrap_err();
    assert_eq!(again, LoginError::TlsNotOffered);
}

/// What we answer to a server that asks for `plugin`. Whoever has no answer sends an empty one, and
/// says what was missing when the server refuses it.
fn answer_switch(identity: Identity, plugin: &[u8]) -> Result<Vec<u8>, LoginError> {
    let mut login = ClientLogin::new(identity);
    let mut out = Vec::new();
    login.on_packet(payload(GREETING), 0, &mut out)?;
    out.clear();
    let mut request = Vec::new();
    let data = b"vpNt~=Rc}iw;^H.My:Rp\0";
    AuthSwitch { plugin, data }.encode(&mut request);
    login.on_packet(&request, 2, &mut out)?;
    if out == b"\0\0\0\x03" {
        login.on_packet(payload(DENIED), 4, &mut Vec::new())?;
    }
    Ok(out)
}

#[test]
fn a_password_is_sent_in_clear_only_when_allowed() {
    let refused = Err(LoginError::CannotAnswer {
        plugin: "mysql_clear_password",
    });
    assert_eq!(answer_switch(app(password(b"secret")), CLEAR), refused);
    let mut allowed = app(password(b"secret"));
    allowed.allow_cleartext = true;
    assert_eq!(
        answer_switch(allowed, CLEAR),
        Ok(b"\x07\0\0\x03secret\0".to_vec())
    );
    let mut proof = app(Secret::Sha1(Proof::of_password(b"secret")));
    proof.allow_cleartext = true;
    assert_eq!(answer_switch(proof, CLEAR), refused);
    assert_eq!(
        answer_switch(app(Secret::None), CLEAR),
        Ok(b"\x01\0\0\x03\0".to_vec())
    );
}

#[test]
fn unknown_plugins_are_named() {
    let unsupported = |name: &str| Err(LoginError::UnsupportedPlugin(name.into()));
    let ask = |plugin| answer_switch(app(password(b"secret")), plugin);
    assert_eq!(ask(b"sha256_password"), unsupported("sha256_password"));
    let mut login = ClientLogin::new(app(Secret::None));
    let mut out = Vec::new();
    login.on_packet(payload(GREETING), 0, &mut out).unwrap();
    let old = login.on_packet(b"\xfe", 2, &mut out).unwrap_err();
    assert_eq!(
        old,
        LoginError::UnsupportedPlugin("mysql_old_password".into())
    );
}

#[test]
fn a_server_without_tls_is_an_error_where_tls_is_wanted() {
    let mut identity = app(Secret::None);
    identity.caps = identity.caps | Caps::SSL;
    let step = ClientLogin::new(identity).on_packet(payload(GREETING), 0, &mut Vec::new());
    assert_eq!(step, Err(LoginError::TlsUnavailable));
}

#[test]
fn secrets_are_not_printed() {
    let secret = "s3cret";
    let mut identity = app(password(secret.as_bytes()));
    identity.allow_cleartext = true;
    let login = ClientLogin::new(identity);
    let (server, hello) = identify(RESPONSE, offered()).unwrap();
    let proof = Proof::of_password(secret.as_bytes());
    let printed = format!(
        "{login:?} {server:?} {hello:?} {proof:?} {:?}",
        native::hash(b"x")
    );
    let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let response: Vec<String> = hello.auth_response.iter().map(u8::to_string).collect();
    for leak in [secret.to_string(), bytes.join(", "), response.join(", ")] {
        assert!(!printed.contains(&leak), "{leak} in {printed}");
    }
}
