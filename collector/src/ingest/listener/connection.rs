//! A connection of an agent, or for a short while of a stranger.
//!
//! Invariant: a connection without a certificate ends after its time, whatever
//! it sends; one with a certificate is passed through untouched.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Enough to enrol over a slow link.
const STRANGER_TIME: Duration = Duration::from_secs(30);

/// A connection after its handshake.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    stranger: Option<Stranger>,
}

struct Stranger {
    until: Pin<Box<Sleep>>,
    _room: OwnedSemaphorePermit,
}

impl Connection {
    /// `None` when the peer is a stranger and there are too many of them.
    pub(super) fn new(stream: TlsStream<TcpStream>, strangers: Arc<Semaphore>) -> Option<Self> {
        let known = stream.get_ref().1.peer_certificates().is_some();
        let stranger = match known {
            true => None,
            false => Some(Stranger {
                until: Box::pin(tokio::time::sleep(STRANGER_TIME)),
                _room: strangers.try_acquire_owned().ok()?,
            }),
        };
        Some(Self { stream, stranger })
    }

    /// An error once a stranger's time is over; wakes the task then.
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(stranger) = &mut self.stranger else {
            return Ok(());
        };
        match stranger.until.as_mut().poll(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::TimedOut, "no certificate in time")),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = <TlsStream<TcpStream> as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
