//! A connection with or without TLS, and the ways to end it.

use socket2::SockRef;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// How long a closed connection is still read, so that unread bytes do not turn its FIN into an RST.
const DRAIN: Duration = Duration::from_secs(2);

/// One accepted connection.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn socket(&mut self) -> &mut TcpStream {
        match self {
            Wire::Plain(socket) => socket,
            Wire::Tls(stream) => stream.get_mut().0,
        }
    }

    /// Ends the connection as a well-behaved server does: with a `close_notify` where there is TLS, then FIN.
    pub async fn finish(mut self) {
        let _ = self.shutdown().await;
        drain(self.socket()).await;
    }

    /// Closes the socket (FIN) without a TLS `close_notify`, as a crashing server does.
    pub async fn close(mut self) {
        close(self.socket()).await;
    }

    /// Resets the connection (RST).
    pub fn reset(mut self) {
        reset(self.socket());
    }

    /// Reads and discards until the client disconnects.
    pub async fn hang(mut self) {
        let mut sink = [0; 4096];
        while matches!(self.read(&mut sink).await, Ok(1..)) {}
    }

    /// Waits until the client has sent bytes or closed the connection. Reads nothing.
    pub async fn readable(&mut self) {
        let _ = self.socket().peek(&mut [0]).await;
    }
}

/// Sends FIN, and reads on for a while, so that no RST follows.
pub(crate) async fn close(socket: &mut TcpStream) {
    let _ = SockRef::from(&*socket).shutdown(Shutdown::Write);
    drain(socket).await;
}

/// Sets the socket to send RST when it is dropped.
pub(crate) fn reset(socket: &mut TcpStream) {
    let _ = SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
}

async fn drain(socket: &mut TcpStream) {
    let mut sink = [0; 4096];
    let _ = tokio::time::timeout(DRAIN, async { while matches!(socket.read(&mut sink).await, Ok(1..)) {} }).await;
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
