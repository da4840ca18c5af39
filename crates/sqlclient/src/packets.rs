//! Whole packets over a stream, each wait with a deadline.

use std::future::Future;
use std::io;
use std::time::Duration;

use tidegate_tls::ServerTls;
use tidegate_wire::WireError;
use tidegate_wire::frame::{frame_into, split_packet};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Phase};
use crate::stream::Stream;

/// Free space that a read is offered at least.
const READ_CHUNK: usize = 16 * 1024;

/// A point in time, and how long the wait for it was when it was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    after: Duration,
    phase: Phase,
}

impl Deadline {
    pub(crate) fn after(phase: Phase, after: Duration) -> Self {
        Self {
            at: Instant::now() + after,
            after,
            phase,
        }
    }

    fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// Waits for `work` until the time has come.
    pub(crate) async fn bound<T, E: Into<Error>>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match timeout_at(self.at, work).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(Error::TimedOut {
                phase: self.phase,
                after: self.after,
            }),
        }
    }
}

/// How long a reply may take and how large it may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    whole: Deadline,
    silence: Duration,
    bytes_left: usize,
    bytes: usize,
}

impl Allowance {
    pub(crate) fn new(whole: Deadline, silence: Duration, bytes: usize) -> Self {
        Self {
            whole,
            silence,
            bytes_left: bytes,
            bytes,
        }
    }

    fn next_read(&self) -> Deadline {
        Deadline::after(self.whole.phase, self.silence).earlier(self.whole)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        let too_large = Error::TooLarge { limit: self.bytes };
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(too_large)?;
        Ok(())
    }
}

/// A packet's payload.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) payload: Vec<u8>,
    /// The number of its last frame.
    pub(crate) seq: u8,
}

/// A stream that is read and written in packets.
#[derive(Debug)]
pub(crate) struct PacketStream {
    stream: Stream,
    received: Vec<u8>,
    taken: usize,
    /// The number due next; not followed during the login, which counts for itself.
    next_seq: Option<u8>,
}

impl PacketStream {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            received: Vec::new(),
            taken: 0,
            next_seq: None,
        }
    }

    /// Goes on encrypted.
    ///
    /// # Errors
    /// [`Error::Tls`], or what breaks the connection. What came in the clear before TLS stood would
    /// be somebody else's words, so there must be none.
    pub(crate) async fn encrypt(self, tls: &ServerTls, deadline: Deadline) -> Result<Self, Error> {
        let early = self.received.len() - self.taken;
        if early > 0 {
            return Err(Error::Tls(format!(
                "{early} bytes came before it had begun"
            )));
        }
        let stream = deadline.bound(self.stream.encrypt(tls)).await?;
        Ok(Self { stream, ..self })
    }

    /// Receives the next packet.
    ///
    /// Cancel safe: bytes of an incomplete packet stay for the next call.
    pub(crate) async fn receive(&mut self, allowance: &mut Allowance) -> Result<Packet, Error> {
        let deadline = allowance.next_read();
        loop {
            if let Some(packet) = self.take_whole(allowance)? {
                return Ok(packet);
            }
            self.received.drain(..self.taken);
            self.taken = 0;
            self.received.reserve(READ_CHUNK);
            if deadline.bound(self.stream.read(&mut self.received)).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    fn take_whole(&mut self, allowance: &mut Allowance) -> Result<Option<Packet>, Error> {
        let rest = self.received.get(self.taken..).unwrap_or_default();
        let split = split_packet(rest, allowance.bytes_left).map_err(|error| match error {
            WireError::OverLimit { .. } if self.next_seq.is_none() => Error::NotAServer,
            WireError::OverLimit { .. } => Error::TooLarge {
                limit: allowance.bytes,
            },
            other => other.into(),
        })?;
        let Some(split) = split else {
            return Ok(None);
        };
        self.check_order(split.first_seq)?;
        allowance.spend(split.consumed)?;
        self.taken += split.consumed;
        self.next_seq = self.next_seq.map(|_| split.last_seq.wrapping_add(1));
        Ok(Some(Packet {
            seq: split.last_seq,
            payload: split.payload.into_owned(),
        }))
    }

    fn check_order(&self, got: u8) -> Result<(), WireError> {
        match self.next_seq {
            Some(expected) if expected != got => Err(WireError::OutOfOrder { expected, got }),
            Some(_) | None => Ok(()),
        }
    }

    /// Sends bytes that are framed already.
    pub(crate) async fn send_framed(
        &mut self,
        bytes: &[u8],
        deadline: Deadline,
    ) -> Result<(), Error> {
        deadline.bound(self.stream.write(bytes)).await
    }

    /// Sends one command.
    pub(crate) async fn send(&mut self, payload: &[u8], deadline: Deadline) -> Result<(), Error> {
        let mut framed = Vec::with_capacity(payload.len() + 4);
        let mut seq = 0;
        frame_into(&mut framed, &mut seq, payload);
        self.next_seq = Some(seq);
        self.send_framed(&framed, deadline).await
    }
}
