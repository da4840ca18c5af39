//! A socket as the HTTP library sees it: sanitised on the way in, and never silent for long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::sanitise::Sanitiser;

/// Bytes read at once. Requests are small.
const READ_LEN: usize = 4096;

/// Wraps a stream. It fails with `TimedOut` when neither side has moved a byte for the time
/// given, whichever of the two was waited for.
pub(super) struct Guarded<S> {
    stream: S,
    sanitiser: Sanitiser,
    ready: Vec<u8>,
    taken: usize,
    silence: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, silence: Duration) -> Self {
        Self {
            stream,
            sanitiser: Sanitiser::new(),
            ready: Vec::new(),
            taken: 0,
            silence,
            deadline: Box::pin(sleep(silence)),
        }
    }

    /// A byte moved, or the deadline is waited for.
    fn moved<T>(&mut self, outcome: Poll<T>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(value) => {
                let deadline = Instant::now() + self.silence;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(Ok(value))
            }
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.ready.len() {
            let mut scratch = [0; READ_LEN];
            let mut input = ReadBuf::new(&mut scratch);
            let outcome = Pin::new(&mut this.stream).poll_read(cx, &mut input);
            ready!(this.moved(outcome, cx))??;
            this.ready.clear();
            this.taken = 0;
            this.sanitiser.feed(input.filled(), &mut this.ready);
        }
        let waiting = this.ready.get(this.taken..).unwrap_or_default();
        let len = waiting.len().min(buffer.remaining());
        buffer.put_slice(waiting.get(..len).unwrap_or_default());
        this.taken += len;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        Poll::Ready(ready!(this.moved(outcome, cx))?)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        Poll::Ready(ready!(this.moved(outcome, cx))?)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const SILENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_sends_nothing_is_given_up() {
        let (_peer, ours) = duplex(64);
        let mut guarded = Guarded::new(ours, SILENCE);
        let error = guarded.read_u8().await.expect_err("given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (_peer, ours) = duplex(64);
        let mut guarded = Guarded::new(ours, SILENCE);
        let error = guarded.write_all(&[0; 100]).await.expect_err("given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn each_byte_starts_the_time_again() {
        let (mut peer, ours) = duplex(64);
        let mut guarded = Guarded::new(ours, SILENCE);
        for _ in 0..5 {
            tokio::time::advance(SILENCE - Duration::from_secs(1)).await;
            peer.write_all(b"x").await.expect("sent");
            assert_eq!(guarded.read_u8().await.expect("arrived"), b'x');
        }
    }

    #[tokio::test]
    async fn what_grows_while_encoded_arrives_whole() {
        let (mut peer, ours) = duplex(8192);
        let mut guarded = Guarded::new(ours, SILENCE);
        peer.write_all(b"GET /").await.expect("sent");
        peer.write_all(&[b'"'; 3000]).await.expect("sent");
        drop(peer);
        let mut all = Vec::new();
        guarded.read_to_end(&mut all).await.expect("read");
        assert_eq!(all, format!("GET /{}", "%22".repeat(3000)).into_bytes());
    }
}
