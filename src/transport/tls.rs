//! TLS: which certificates are trusted, and a session over a [`Socket`].

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::socket::Socket;
use super::wait::Waiter;
use crate::error::Error;
use crate::ffi::sys::Interest;
use crate::verdict::Fault;

/// The certificate authorities that are trusted.
///
/// Mozilla's, built in, or those of `ca_file` alone. Built in, because the system's store differs from machine to machine,
/// and to read Debian's took the making of a client 0.6 ms in the place of 0.02; who has an authority of their own names
/// its file.
#[derive(Clone)]
pub(crate) struct Roots(Option<Arc<RootCertStore>>);

impl Roots {
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = ca_file else {
            return Ok(Roots(None));
        };
        let refuse = |fault: String| {
            Error::invalid(format!(
                "ca_file {} {fault}: give a PEM file with the certificates to trust",
                path.display()
            ))
        };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| refuse(format!("cannot be read ({error})")))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| refuse(format!("holds a certificate that is none ({error})")))?;
        }
        if roots.is_empty() {
            return Err(refuse("holds no certificate".into()));
        }
        Ok(Roots(Some(Arc::new(roots))))
    }

    fn store(&self) -> Arc<RootCertStore> {
        self.0.clone().unwrap_or_else(|| {
            // Without a lock, which the child of a fork could find held for ever.
            static BUILT_IN: OnceBox<Arc<RootCertStore>> = OnceBox::new();
            BUILT_IN
                .get_or_init(|| Box::new(Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())))
                .clone()
        })
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Roots(ca_file)" } else { "Roots(built in)" })
    }
}

/// Makes sessions. Remembers them for resumption, so the child of a fork needs one of its own.
#[derive(Debug)]
pub(crate) struct Tls {
    roots: Roots,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub fn new(roots: Roots) -> Self {
        Tls { roots, config: OnceCell::new() }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Fault> {
        self.config
            .get_or_try_init(|| {
                let provider = CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() };
                let config = ClientConfig::builder_with_provider(Arc::new(provider))
                    .with_safe_default_protocol_versions()
                    .map_err(|error| Fault::Internal(error.to_string()))?
                    .with_root_certificates(self.roots.store())
                    .with_no_client_auth();
                Ok(Arc::new(config))
            })
            .cloned()
    }

    /// Shakes hands with `host` over `socket`.
    pub fn connect(&self, host: &str, socket: &Socket, waiter: &Waiter, deadline: Instant) -> Result<Session, Fault> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| Fault::Certificate(format!("{host} is no name that a certificate can hold")))?;
        let session =
            ClientConnection::new(self.config()?, name).map_err(|error| Fault::Internal(error.to_string()))?;
        let mut session = Session(Box::new(session));
        while session.0.is_handshaking() {
            while session.0.wants_write() {
                session.flush(socket).or_else(|error| wait_to_write(error, socket, waiter, deadline))?;
            }
            if session.0.is_handshaking() && session.0.wants_read() {
                session.fill(socket).or_else(|error| match error {
                    SessionError::Io(error) if error.kind() == io::ErrorKind::WouldBlock => waiter
                        .until_ready(&[Interest::read(socket)], deadline)
                        .map(|_| true)
                        .map_err(|stop| stop.into_fault("during the TLS handshake")),
                    error => Err(handshake_fault(error)),
                })?;
            }
        }
        Ok(session)
    }
}

/// Loads no private key: this library never shows a certificate of its own. The code that signs would be 60 KB of it.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this library signs nothing".into()))
    }
}

fn wait_to_write(error: io::Error, socket: &Socket, waiter: &Waiter, deadline: Instant) -> Result<(), Fault> {
    if error.kind() != io::ErrorKind::WouldBlock {
        return Err(handshake_fault(SessionError::Io(error)));
    }
    waiter
        .until_ready(&[Interest::write(socket)], deadline)
        .map(|_| ())
        .map_err(|stop| stop.into_fault("during the TLS handshake"))
}

fn handshake_fault(error: SessionError) -> Fault {
    match error {
        SessionError::Tls(rustls::Error::InvalidCertificate(why)) => {
            Fault::Certificate(format!("the service's certificate cannot be trusted: {why}"))
        }
        SessionError::Tls(error) => Fault::Handshake(format!("the TLS handshake failed: {error}")),
        SessionError::End => Fault::Handshake("the connection ended during the TLS handshake".into()),
        SessionError::Io(error) => Fault::Handshake(format!("the connection broke during the TLS handshake: {error}")),
    }
}

#[derive(Debug)]
pub(crate) enum SessionError {
    Io(io::Error),
    Tls(rustls::Error),
    End,
}

/// The TLS state of one connection. Does not wait: `WouldBlock` says that the socket would.
#[derive(Debug)]
pub(crate) struct Session(Box<ClientConnection>);

impl Session {
    /// Takes plain bytes; they go out with [`Session::flush`].
    pub fn push(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.0.writer().write(plain)
    }

    pub fn wants_write(&self) -> bool {
        self.0.wants_write()
    }

    /// Writes records until none is left, or the socket takes no more.
    pub fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(&mut Writer(socket))?;
        }
        Ok(())
    }

    /// Reads records from the socket; `false` at its end.
    pub fn fill(&mut self, socket: &Socket) -> Result<bool, SessionError> {
        let count = self.0.read_tls(&mut Reader(socket)).map_err(SessionError::Io)?;
        if let Err(error) = self.0.process_new_packets() {
            let _ = self.flush(socket); // the alert that tells the peer why
            return Err(SessionError::Tls(error));
        }
        if count == 0 && self.0.is_handshaking() {
            return Err(SessionError::End);
        }
        Ok(count > 0)
    }

    /// Plain bytes that were received; `WouldBlock` when there are none yet, 0 at the end, clean or not.
    pub fn pull(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }

    /// Whether the connection is idle and sound. Takes in what the peer may send at any time (session tickets).
    pub fn is_quiet(&mut self, socket: &Socket) -> bool {
        loop {
            match self.fill(socket) {
                Ok(true) => {}
                Err(SessionError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => return false,
            }
        }
        matches!(self.pull(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

struct Reader<'a>(&'a Socket);

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

struct Writer<'a>(&'a Socket);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
