//! Which compression is agreed with a client, and with a server. The compressing itself is the worker's: it is asked for with
//! [`Op::Compress`](crate::Op::Compress), and what it makes of the peer's bytes comes like any others.

use tidegate_wire::Caps;
use tidegate_wire::compress::{CompressionOffer, Method};

use crate::fault::SessionFault;
use crate::ids::{BackendId, Side};
use crate::output::Op;
use crate::session::{Cx, Env, Phase, Session};

/// What a greeting says of it.
pub(crate) fn offered(offer: CompressionOffer) -> Caps {
    let zlib = if offer.zlib {
        Caps::COMPRESS
    } else {
        Caps::empty()
    };
    if offer.zstd {
        zlib.union(Caps::ZSTD_COMPRESSION)
    } else {
        zlib
    }
}

/// What is asked of a server so that it compresses.
pub(crate) fn asked(method: Option<Method>) -> Caps {
    match method {
        None => Caps::empty(),
        Some(Method::Zlib) => Caps::COMPRESS,
        Some(Method::Zstd { .. }) => Caps::ZSTD_COMPRESSION,
    }
}

/// What is so short goes to servers as it is: the default towards clients too.
const THRESHOLD_TOWARDS_SERVERS: usize = 50;

/// What was agreed. With both it is zlib (MySQL internals, `page_protocol_basic_compression`).
fn agreed(caps: Caps, zstd_level: u8) -> Option<Method> {
    if caps.contains(Caps::COMPRESS) {
        return Some(Method::Zlib);
    }
    let level = match zstd_level {
        1..=22 => zstd_level,
        _ => Method::DEFAULT_LEVEL,
    };
    caps.contains(Caps::ZSTD_COMPRESSION)
        .then_some(Method::Zstd { level })
}

impl Session {
    /// The login is over: what follows is compressed, if that was agreed.
    pub(crate) fn begin_compression(&mut self, zstd_level: u8, cx: &mut Cx<'_>) {
        if let Some(method) = agreed(self.client.caps, zstd_level) {
            cx.out.push(Op::Compress {
                side: Side::Client,
                method,
                threshold: self.client.compression.threshold,
            });
        }
    }

    /// A server has let the session in: what follows is compressed, if that was agreed.
    pub(crate) fn begin_backend_compression(&mut self, id: BackendId, caps: Caps, cx: &mut Cx<'_>) {
        if let Some(method) = agreed(caps, Method::DEFAULT_LEVEL) {
            cx.out.push(Op::Compress {
                side: Side::Backend(id),
                method,
                threshold: THRESHOLD_TOWARDS_SERVERS,
            });
        }
    }

    /// Has the login just ended with an agreement to compress?
    pub(crate) fn is_compressed_from_now(&self) -> bool {
        matches!(self.phase, Phase::Commands) && agreed(self.client.caps, 0).is_some()
    }

    /// A side's bytes cannot be unpacked.
    pub fn on_damaged(&mut self, side: Side, reason: &str, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        let mut cx = env.cx();
        match side {
            Side::Client => self.fail(&SessionFault::ClientProtocol(reason.to_owned()), &mut cx),
            Side::Backend(id) => self.backend_lost(id, reason, &mut cx),
        }
        self.finish_event(env);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zlib_goes_before_zstd() {
        let both = Caps::COMPRESS | Caps::ZSTD_COMPRESSION;
        assert_eq!(agreed(both, 7), Some(Method::Zlib));
        let zstd = Caps::ZSTD_COMPRESSION;
        assert_eq!(agreed(zstd, 7), Some(Method::Zstd { level: 7 }));
        for level in [0, 23] {
            assert_eq!(agreed(zstd, level), Some(Method::Zstd { level: 3 }));
        }
        assert_eq!(agreed(Caps::empty(), 7), None);
    }
}
