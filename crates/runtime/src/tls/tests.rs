use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_tls::{SelfMade, TlsSettings, Versions};

use super::*;

/// A listener and what connects to it, with an authority of their own.
fn pair(change: impl FnOnce(&mut TlsSettings, &mut TlsSettings)) -> (Arc<ListenerTls>, ServerTls) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Test CA").unwrap();
    let identity = |name: &str| {
        let wish = Wish::new(name).hosts(&["db.test", "10.0.0.1"]);
        authority
            .issue(&wish)
            .unwrap()
            .write_to(folder.path(), name)
            .unwrap()
    };
    let (theirs, ours) = (identity("server"), identity("client"));
    let ca = write(folder.path(), "ca.pem", authority.pem());
    let mut listener = TlsSettings {
        key: Some(theirs.key),
        cert: Some(theirs.cert),
        ..TlsSettings::default()
    };
    let mut server = TlsSettings {
        key: Some(ours.key),
        cert: Some(ours.cert),
        ca: Some(ca.clone()),
        verify_certificate: true,
        verify_host: true,
        ..TlsSettings::default()
    };
    listener.ca = Some(ca);
    change(&mut listener, &mut server);
    let listener = ListenerTls::build(&listener, &SelfMade::default())
        .unwrap()
        .0;
    let server = ServerTls::build(&server, "db.test").unwrap().0;
    (Arc::new(listener), server)
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Two ends and the bytes between them.
struct Ends {
    pool: Pool,
    client: Tls,
    server: Tls,
    at_client: Bytes,
    at_server: Bytes,
    to_client: Bytes,
    to_server: Bytes,
}

impl Ends {
    fn new(listener: &Arc<ListenerTls>, server: &ServerTls) -> Ends {
        Ends {
            pool: Pool::default(),
            client: Tls::client(server).unwrap(),
            server: Tls::server(listener, Some("10.0.0.1".parse().unwrap())).unwrap(),
            at_client: Bytes::default(),
            at_server: Bytes::default(),
            to_client: Bytes::default(),
            to_server: Bytes::default(),
        }
    }

    /// Carries bytes to and fro, some at a time, until both are done or one has failed.
    fn talk(&mut self, step: usize) -> Result<(), String> {
        for _ in 0..10 {
            let (plain, out, pool) = (&mut self.at_client, &mut self.to_server, &mut self.pool);
            let went = self.client.advance(plain, out, pool);
            went.map_err(|error| format!("client: {error}"))?;
            for piece in self.to_server.as_slice().to_vec().chunks(step) {
                let (plain, out, pool) = (&mut self.at_server, &mut self.to_client, &mut self.pool);
                self.server.receive(piece, pool);
                let went = self.server.advance(plain, out, pool);
                went.map_err(|error| format!("server: {error}"))?;
            }
            self.to_server.clear(&mut self.pool);
            self.client
                .receive(self.to_client.as_slice(), &mut self.pool);
            self.to_client.clear(&mut self.pool);
        }
        Ok(())
    }
}

/// Serves `socket` as an echo of everything in upper case, until the peer closes.
fn serve(mut socket: UnixStream, listener: &Arc<ListenerTls>) {
    let (mut pool, mut plain, mut out) = (Pool::default(), Bytes::default(), Bytes::default());
    let mut tls = Tls::server(listener, None).unwrap();
    let mut buffer = [0; 1000];
    loop {
        let read = socket.read(&mut buffer).unwrap();
        if read == 0 {
            return;
        }
        tls.receive(&buffer[..read], &mut pool);
        tls.advance(&mut plain, &mut out, &mut pool).unwrap();
        let answer = plain.as_slice().to_ascii_uppercase();
        plain.clear(&mut pool);
        tls.send(&answer, &mut out, &mut pool).unwrap();
        socket.write_all(out.as_slice()).unwrap();
        out.clear(&mut pool);
        if tls.peer_closed() {
            return;
        }
    }
}

#[test]
fn an_ordinary_client_is_served() {
    let (listener, server) = pair(|_, _| {});
    let client: Arc<ClientConfig> = Arc::clone(server.config());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || serve(ours, &listener));
    let name = ServerName::try_from("db.test").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(client, name).unwrap(), theirs);
    let text = "select 1; ".repeat(20_000);
    let mut answer = vec![0; text.len()];
    for (chunk, into) in text.as_bytes().chunks(5000).zip(answer.chunks_mut(5000)) {
        stream.write_all(chunk).unwrap();
        stream.read_exact(into).unwrap();
    }
    assert!(answer == text.to_ascii_uppercase().as_bytes());
    stream.conn.send_close_notify();
    stream.conn.complete_io(&mut stream.sock).unwrap();
    thread.join().unwrap();
}

#[test]
fn both_ends_are_ours_and_what_is_sent_early_waits() {
    let (listener, server) = pair(|_, _| {});
    let mut ends = Ends::new(&listener, &server);
    ends.client
        .send(b"early", &mut ends.to_server, &mut ends.pool)
        .unwrap();
    // One byte at a time: records come in pieces.
    ends.talk(1).unwrap();
    assert_eq!(ends.at_server.as_slice(), b"early");
    assert_eq!((ends.server.waiting(), ends.client.waiting()), (0, 0));
}

#[test]
fn the_handshake_is_told_once_with_what_came_of_it() {
    let (listener, server) = pair(|_, server| server.versions.v13 = false);
    let mut ends = Ends::new(&listener, &server);
    assert_eq!(ends.server.encryption().unwrap(), None);
    ends.talk(4096).unwrap();
    let told = ends.server.encryption().unwrap().unwrap();
    assert_eq!(
        (&*told.cipher, told.resumed),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", false)
    );
    let certificate = told.certificate.unwrap();
    assert_eq!(
        (&*certificate.subject, &*certificate.issuer),
        ("/CN=client", "/CN=Test CA")
    );
    assert_eq!(ends.server.encryption().unwrap(), None);
    assert!(
        ends.client
            .encryption()
            .unwrap()
            .unwrap()
            .certificate
            .is_none()
    );
}

#[test]
fn connections_resume_with_either_version() {
    for v13 in [true, false] {
        let (listener, server) = pair(|_, server| server.versions = Versions { v13, v12: !v13 });
        let resumed = [(); 4].map(|()| {
            let mut ends = Ends::new(&listener, &server);
            ends.talk(4096).unwrap();
            let told = ends.server.encryption().unwrap().unwrap();
            assert_eq!(told.certificate.unwrap().subject, "/CN=client");
            assert_eq!(
                ends.client.encryption().unwrap().unwrap().resumed,
                told.resumed
            );
            told.resumed
        });
        assert_eq!(resumed, [false, true, true, true]);
    }
}

#[test]
fn a_certificate_of_another_address_is_refused_if_that_matters() {
    let (listener, server) = pair(|listener, _| listener.verify_host = true);
    let mut ends = Ends::new(&listener, &server);
    ends.talk(4096).unwrap();
    assert!(ends.server.encryption().unwrap().is_some());
    let mut ends = Ends::new(&listener, &server);
    ends.server = Tls::server(&listener, Some("10.0.0.2".parse().unwrap())).unwrap();
    ends.talk(4096).unwrap();
    let error = ends.server.encryption().unwrap_err().to_string();
    assert!(
        error.contains("the client's certificate is refused"),
        "{error}"
    );
    assert!(error.contains("ssl_verify_peer_host"), "{error}");
}

#[test]
fn nothing_in_common_is_told_with_both_offers() {
    let (listener, server) = pair(|listener, server| {
        listener.versions.v12 = false;
        server.versions.v13 = false;
    });
    let error = Ends::new(&listener, &server).talk(4096).unwrap_err();
    assert!(error.contains("no version of TLS (ssl_version)"), "{error}");
    assert!(
        error.contains("the client offers TLSv1.2 with ECDHE-"),
        "{error}"
    );
    assert!(
        error.contains("this listener TLSv1.3 with TLS_AES_"),
        "{error}"
    );
    let (listener, server) = pair(|listener, server| {
        server.versions.v13 = false;
        listener.ciphers = Some("ECDHE-ECDSA-AES128-GCM-SHA256".to_owned());
        server.ciphers = Some("ECDHE-ECDSA-CHACHA20-POLY1305".to_owned());
    });
    let error = Ends::new(&listener, &server).talk(4096).unwrap_err();
    assert!(error.contains("no cipher suite (ssl_cipher)"), "{error}");
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let (listener, _) = pair(|_, _| {});
    let (_, stranger) = pair(|_, server| server.verify_host = false);
    let error = Ends::new(&listener, &stranger).talk(4096).unwrap_err();
    let expected = "is the authority in ssl_ca of the server's section another one";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn plain_text_where_tls_was_agreed_is_an_error() {
    let (listener, _) = pair(|_, _| {});
    let mut pool = Pool::default();
    let mut tls = Tls::server(&listener, None).unwrap();
    tls.receive(b"\x20\x00\x00\x01 this is not TLS", &mut pool);
    let error = tls
        .advance(&mut Bytes::default(), &mut Bytes::default(), &mut pool)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the client sent something that is not TLS"
    );
}

#[test]
fn an_end_is_announced() {
    let (listener, server) = pair(|_, _| {});
    let mut ends = Ends::new(&listener, &server);
    ends.talk(4096).unwrap();
    ends.server.close(&mut ends.to_client, &mut ends.pool);
    assert!(!ends.client.peer_closed());
    ends.talk(4096).unwrap();
    ends.client
        .receive(ends.to_client.as_slice(), &mut ends.pool);
    let (plain, out) = (&mut ends.at_client, &mut ends.to_server);
    ends.client.advance(plain, out, &mut ends.pool).unwrap();
    assert!(ends.client.peer_closed());
}
