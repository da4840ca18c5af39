//! Where a client is, and what it may say about that itself: the PROXY header before its login.

use std::net::SocketAddr;

use tidegate_wire::proxy_header::{self, Header, Start};

use crate::cause::Cause;
use crate::commands::Taken;
use crate::fault::{ErrReply, SessionFault};
use crate::ids::{BackendId, Side};
use crate::output::Level;
use crate::question::ClientAddress;
use crate::session::{Cx, Session};

/// Where a connection comes from, as its socket tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The other end.
    pub peer: ClientAddress,
    /// This end; `None`: a UNIX socket.
    pub local: Option<SocketAddr>,
    /// The peer may tell another address in a PROXY header (`proxy_protocol_networks`).
    pub may_tell: bool,
}

impl Origin {
    /// A client on a UNIX socket that speaks for itself.
    #[must_use]
    pub fn local_client() -> Origin {
        Origin {
            peer: ClientAddress::Unix,
            local: None,
            may_tell: false,
        }
    }
}

/// What a PROXY header told of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// No byte of the client was read yet: a header may still come, and be `allowed` or not.
    NotYet { allowed: bool },
    /// There was none, or it kept silent about the address.
    Nothing,
    /// The address that counts.
    Address,
}

impl Session {
    /// Takes a PROXY header off the first bytes of a connection; `None`: there is none.
    pub(crate) fn take_header(
        &mut self,
        run: &[u8],
        allowed: bool,
        cx: &mut Cx<'_>,
    ) -> Option<Taken> {
        let start = match proxy_header::read(run) {
            Ok(Start::Plain) => {
                self.client.told = Told::Nothing;
                return None;
            }
            Ok(Start::Short) => return Some(Taken::More),
            start => start,
        };
        if !allowed {
            let reason = "a PROXY header from a peer that is not in proxy_protocol_networks";
            let peer = self.client.address.host();
            let text = format!("Proxy header is not accepted from {peer}");
            return Some(self.refuse_header(reason.to_owned(), 1130, text, run, cx));
        }
        match start {
            Ok(Start::Whole { header, len, tls }) => {
                self.believe(header, tls, cx);
                Some(Taken::Bytes(len))
            }
            Ok(_) => Some(Taken::More),
            Err(error) => {
                let text = "Failed to parse proxy header".to_owned();
                Some(self.refuse_header(error.to_string(), 1105, text, run, cx))
            }
        }
    }

    fn believe(&mut self, header: Header, tls: bool, cx: &mut Cx<'_>) {
        let peer = self.client.address.host();
        if let Header::From(source) = header {
            self.client.address = ClientAddress::from(source);
            self.client.told = Told::Address;
        } else {
            self.client.told = Told::Nothing;
        }
        let client = self.client.address.host();
        self.log(Level::Info, cx, || {
            let encrypted = if tls {
                ", and encrypted up to there, which nobody vouches for"
            } else {
                ""
            };
            format!("{peer} says in a PROXY header that the client is at {client}{encrypted}")
        });
    }

    fn refuse_header(
        &mut self,
        reason: String,
        code: u16,
        text: String,
        run: &[u8],
        cx: &mut Cx<'_>,
    ) -> Taken {
        let fault = SessionFault::LoginRefused {
            reason,
            reply: ErrReply::new(code, b"HY000", text),
        };
        // The client sends its login behind the header, as packet 1.
        self.client.seq = 2;
        self.finish(Cause::ClientProtocol, Some(&fault), cx);
        Taken::Bytes(run.len())
    }

    /// Tells a server where the client is, if the server wants to know. Comes before its greeting.
    pub(crate) fn send_header(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(server) = self.backend(id).map(|backend| backend.server) else {
            return;
        };
        let Some(version) = cx.servers.get(server).and_then(|view| view.proxy_header) else {
            return;
        };
        let source = self.client.address.socket();
        // A proxy on a UNIX socket told the client's address: it came to none of ours.
        let destination = self
            .client
            .local
            .unwrap_or_else(|| ([0, 0, 0, 0], 0).into());
        cx.out.send_with(Side::Backend(id), |own| {
            proxy_header::write(version, source, destination, own);
        });
    }
}
