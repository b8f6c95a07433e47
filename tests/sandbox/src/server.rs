//! The listening sockets, and what happens to a connection before its first request.

use crate::Shared;
use crate::connection::Connection;
use crate::fault::{Fault, Place};
use crate::wire::{self, Wire};
use axum::Router;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A listening socket and how connections to it are treated.
pub(crate) struct Door {
    listener: TcpListener,
    pub address: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    /// Whether only the page and the REST are served here. No fault is played on them.
    control: bool,
}

impl Door {
    /// Listens at an address. Must be called within a runtime.
    pub fn open(address: SocketAddr, acceptor: Option<TlsAcceptor>, control: bool) -> io::Result<Door> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        // Lets a sandbox restart at once on the same port.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from_std(StdListener::from(socket))?;
        let address = listener.local_addr()?;
        Ok(Door { listener, address, acceptor, control })
    }

    /// Accepts connections without end.
    pub async fn serve(self, shared: Arc<Shared>, pages: Router) {
        loop {
            match self.listener.accept().await {
                Ok((socket, _)) => {
                    let _ = socket.set_nodelay(true);
                    let shared = shared.clone();
                    let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                    let fault = if self.control {
                        None
                    } else {
                        shared.faults.for_connection(self.address.port(), self.acceptor.is_some())
                    };
                    let acceptor = self.acceptor.clone();
                    let (pages, port) = (pages.clone(), self.address.port());
                    tokio::spawn(async move {
                        if let Some((_, fault)) = fault {
                            return play_at_accept(socket, &fault).await;
                        }
                        let wire = match acceptor {
                            None => Wire::Plain(socket),
                            Some(acceptor) => match acceptor.accept(socket).await {
                                Ok(stream) => Wire::Tls(Box::new(stream)),
                                Err(_) => return,
                            },
                        };
                        Connection::new(wire, shared, pages, number, port).serve().await;
                    });
                }
                // Out of descriptors, or the client disconnected before accept: wait a moment and go on.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }
}

/// Plays a fault on a connection before anything was read.
async fn play_at_accept(mut socket: TcpStream, fault: &Fault) {
    let mut sink = [0; 4096];
    match fault {
        Fault::Cut { place: Place::Accept, reset: true, .. } => wire::reset(&mut socket),
        Fault::Cut { .. } => wire::close(&mut socket).await,
        Fault::HandshakeClose => {
            let _ = socket.read(&mut sink).await;
            wire::close(&mut socket).await;
        }
        _ => while matches!(socket.read(&mut sink).await, Ok(1..)) {},
    }
}

/// Whether a path belongs to the sandbox's own pages and REST. The journal leaves those out.
pub(crate) fn is_own(path: &str) -> bool {
    path == "/" || path == "/favicon.ico" || path == "/_sandbox" || path.starts_with("/_sandbox/")
}
