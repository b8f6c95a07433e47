//! TLS: the trusted certificates, and a session over a [`Socket`].

mod words;

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, InvalidMessage, ProtocolVersion, RootCertStore, SignatureScheme,
};

use super::socket::Socket;
use super::wait::CallContext;
use crate::http::Fault;
use crate::model::outcome::Error;
use crate::sys::Interest;

/// The trusted certificate authorities: Mozilla's, which are built in, or only those in `ca_file`.
///
/// They are built in because the system's store differs from machine to machine and is slow to read: with Debian's
/// store a client took 0.6 ms to make instead of 0.02 ms. Users with an authority of their own name its file.
#[derive(Clone)]
pub(crate) struct Roots(Option<Arc<RootCertStore>>);

/// The size limit of `ca_file`, far above any collection of authorities.
const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;

/// At most so many characters of a path are shown.
const LONGEST_PATH: usize = 300;

impl Roots {
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = ca_file else {
            return Ok(Roots(None));
        };
        if path.as_os_str().is_empty() {
            return Err(Error::invalid("ca_file is empty: give the path of a PEM file, or leave it out"));
        }
        Self::read(path).map(|store| Roots(Some(Arc::new(store)))).map_err(|fault| {
            // Escaped, so that any path stays on one line.
            let path = path.display().to_string();
            let shown: String = path.chars().take(LONGEST_PATH).flat_map(char::escape_debug).collect();
            Error::invalid(format!(
                "ca_file {shown} {fault}: give the path of a PEM file with the certificates to trust"
            ))
        })
    }

    /// Reads the certificates in a file. The error says what is wrong with it, as the end of a sentence.
    fn read(path: &Path) -> Result<RootCertStore, String> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => "does not exist".to_owned(),
            io::ErrorKind::PermissionDenied => "cannot be read: this process has no permission".into(),
            _ => format!("cannot be read: {error}"),
        };
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        if kind.is_dir() {
            return Err("is a directory".into());
        }
        // Reading a pipe could block, and a device may have no end.
        if !kind.is_file() {
            return Err("is not a file".into());
        }
        if kind.len() > LARGEST_CA_FILE {
            return Err(format!("has {} bytes, the most is {LARGEST_CA_FILE}", kind.len()));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bytes) {
            let certificate = certificate.map_err(|error| words::of_pem(&error).to_owned())?;
            roots.add(certificate).map_err(|error| match error {
                rustls::Error::InvalidCertificate(why) => {
                    format!("holds a certificate that cannot be used, for {}", words::of_certificate(&why))
                }
                error => format!("holds a certificate that cannot be used: {}", words::of_error(&error)),
            })?;
        }
        if roots.is_empty() {
            return Err(without_certificates(bytes).into());
        }
        Ok(roots)
    }

    fn store(&self) -> Arc<RootCertStore> {
        self.0.clone().unwrap_or_else(|| {
            // No lock: in the child of a fork it could stay locked for ever.
            static BUILT_IN: OnceBox<Arc<RootCertStore>> = OnceBox::new();
            BUILT_IN
                .get_or_init(|| Box::new(Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())))
                .clone()
        })
    }
}

/// Says what a file without certificates holds, as the end of a sentence.
fn without_certificates(bytes: &[u8]) -> &'static str {
    let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    match bytes {
        [] => "is empty",
        // An ASN.1 sequence of more than 255 bytes.
        [0x30, 0x82, ..] => "is in binary form (DER), not PEM",
        _ if has(b"PRIVATE KEY-----") => "holds a private key and no certificate",
        _ if has(b"-----BEGIN TRUSTED CERTIFICATE-----") => "holds certificates only in OpenSSL's own form",
        _ if has(b"-----BEGIN ") => "holds PEM, but no certificate",
        _ => "holds no certificate",
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Roots(ca_file)" } else { "Roots(built in)" })
    }
}

/// Makes sessions, and remembers them for resumption. The child of a fork needs its own.
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
                    .map_err(|error| Fault::Internal(words::of_error(&error)))?
                    .with_root_certificates(self.roots.store())
                    .with_client_cert_resolver(Arc::new(NoCertificate));
                Ok(Arc::new(config))
            })
            .cloned()
    }

    /// Does the TLS handshake with `host` over `socket`.
    pub fn connect(
        &self,
        host: &str,
        socket: &Socket,
        context: &CallContext,
        deadline: Instant,
    ) -> Result<Session, Fault> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| Fault::Certificate(format!("{host} is not a name that a certificate can hold")))?;
        let tls =
            ClientConnection::new(self.config()?, name).map_err(|error| Fault::Internal(words::of_error(&error)))?;
        let mut session = Session { tls: Box::new(tls), failure: None, certificate_wanted: false, answered: false };
        let wait = |interest| {
            context.until_ready(&[interest], deadline).map_err(|stop| stop.into_fault("during the TLS handshake"))
        };
        while session.tls.is_handshaking() {
            match session.flush(socket) {
                Ok(()) => {
                    // Wait before every read: this checks the deadline even if bytes keep coming.
                    wait(Interest::read(socket))?;
                    session
                        .fill(socket)
                        .or_else(ignore_would_block)
                        .map_err(|error| session.broken_handshake(&error))?;
                    session.check_handshake()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(Interest::write(socket))?;
                }
                Err(error) => return Err(session.broken_handshake(&error)),
            }
        }
        Ok(session)
    }
}

fn ignore_would_block(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

thread_local! {
    /// Set when the handshake that this thread processes requests a client certificate.
    static CERTIFICATE_WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Offers no client certificate, and records in [`CERTIFICATE_WANTED`] that one was requested.
///
/// All connections share it, because rustls resumes a session only with the resolver that began it. So the record is
/// per thread: rustls calls the resolver while [`Session::fill`] runs, and `fill` takes the record.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        CERTIFICATE_WANTED.set(true);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Loads no private keys: this library never presents a certificate. This leaves out 60 KB of signing code.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this library signs nothing".into()))
    }
}

/// How often [`Session::is_idle`] reads at most, up to 4 KiB each time. A server sends a few tickets of some 200 bytes.
const MAX_READS_OF_IDLE: usize = 8;

/// The TLS state of one connection. It never waits: it returns `WouldBlock` when the socket does.
#[derive(Debug)]
pub(crate) struct Session {
    tls: Box<ClientConnection>,
    /// Why no more records can be read. Reported after the plaintext that came before it.
    failure: Option<rustls::Error>,
    /// The server has requested a client certificate. None was sent.
    certificate_wanted: bool,
    /// Plaintext was received.
    answered: bool,
}

impl Session {
    /// Takes plaintext, which [`Session::flush`] sends. Takes nothing while 64 KiB are unsent.
    pub fn push(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.tls.writer().write(plain)
    }

    pub fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Writes records until all are written or the socket takes no more.
    pub fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut Writer(socket))?;
        }
        Ok(())
    }

    /// Reads once from the socket, unless [`Session::pull`] has something to return. `pull` also reports a TLS error
    /// and the end of the connection, because plaintext may have come before them in the same read.
    pub fn fill(&mut self, socket: &Socket) -> io::Result<()> {
        if self.has_input() {
            return Ok(());
        }
        let was_handshaking = self.tls.is_handshaking();
        match self.tls.read_tls(&mut Reader(socket)) {
            Ok(_) => self.failure = self.tls.process_new_packets().err(),
            // From rustls itself: one message fills its buffer.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.failure = Some(InvalidMessage::HandshakePayloadTooLarge.into());
            }
            Err(error) => return Err(error),
        }
        self.certificate_wanted |= CERTIFICATE_WANTED.take();
        // Sends what TLS answers by itself, such as an alert. If that fails, the received bytes still count. The last
        // messages of the handshake are not sent here: they go out with the request, in one write.
        if self.failure.is_some() || !was_handshaking {
            let _ = self.flush(socket);
        }
        Ok(())
    }

    /// Whether [`Session::pull`] has something to return: plaintext, the end of the connection, or an error.
    pub fn has_input(&mut self) -> bool {
        self.failure.is_some()
            || !matches!(self.tls.reader().fill_buf(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Returns received plaintext; `WouldBlock` if there is none yet, 0 at the end of the connection, clean or not.
    /// [`Session::fault`] explains any other error.
    pub fn pull(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.tls.reader().read(buffer) {
            Ok(count) => {
                self.answered |= count > 0;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(_) if self.failure.is_some() => Err(io::ErrorKind::InvalidData.into()),
            Err(error) => Err(error),
        }
    }

    /// Whether the connection is idle and intact. Processes records that the peer may send at any time (session
    /// tickets), but only a limited number.
    pub fn is_idle(&mut self, socket: &Socket) -> bool {
        for _ in 0..MAX_READS_OF_IDLE {
            match self.fill(socket) {
                Ok(()) if !self.has_input() => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
                Ok(()) => return false,
            }
        }
        false
    }

    /// Turns an error of [`Session::fill`] or [`Session::pull`] after the handshake into the fault of a request. `when`
    /// says when it happened, as in "before the answer was complete".
    pub fn fault(&self, error: &io::Error, when: &str) -> Fault {
        match &self.failure {
            Some(rustls::Error::AlertReceived(alert)) if self.never_began(*alert) => client_certificate(*alert),
            Some(rustls::Error::AlertReceived(alert)) => {
                Fault::Lost(format!("the service ended the TLS connection {when}: {}", words::of_alert(*alert)))
            }
            Some(error) => Fault::Garbage(format!("what came {when} is not valid TLS: {}", words::of_error(error))),
            None => Fault::Lost(format!("the connection broke {when}: {error}{}", self.hint())),
        }
    }

    /// Whether `alert` proves that the server read nothing of what was sent after the handshake.
    ///
    /// In TLS 1.3 the client finishes the handshake before the server has checked the client's certificate (RFC 8446,
    /// section 2). So a refusal arrives after the request was sent. It is a proof only if nothing came before it. An
    /// answer shows that the server went on. So does a session ticket: a server that requests a certificate makes the
    /// ticket from the client's last messages (section 4.6.1). In TLS 1.2 the handshake ends with the server's last
    /// message, so there is no such case.
    fn never_began(&self, alert: AlertDescription) -> bool {
        self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            && self.tls.tls13_tickets_received() == 0
            && !self.answered
            && self.is_about_certificate(alert)
    }

    /// Whether `alert` means that the server misses a client certificate.
    fn is_about_certificate(&self, alert: AlertDescription) -> bool {
        match alert {
            // These have no other meaning.
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => true,
            // Servers send these instead. A server never sends them after it has processed a request. It may send
            // internal_error then, so that is not in the list.
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure
            | AlertDescription::DecryptError => self.certificate_wanted,
            _ => false,
        }
    }

    /// `Err` if the handshake has failed.
    fn check_handshake(&mut self) -> Result<(), Fault> {
        let Some(failure) = &self.failure else {
            if self.tls.is_handshaking() && self.has_input() {
                let hint = self.hint();
                return Err(Fault::Handshake(format!("the connection ended during the TLS handshake{hint}")));
            }
            return Ok(());
        };
        Err(match failure {
            rustls::Error::AlertReceived(alert) if self.is_about_certificate(*alert) => client_certificate(*alert),
            rustls::Error::AlertReceived(alert) => {
                Fault::Handshake(format!("the service ended the TLS handshake: {}", words::of_alert(*alert)))
            }
            rustls::Error::InvalidCertificate(error) => Fault::Certificate(format!(
                "the service's certificate cannot be trusted: {}",
                words::of_certificate(error)
            )),
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => {
                let advice = "Check that the host and port of base_url speak https";
                Fault::Handshake(format!("the TLS handshake failed: what answered does not speak TLS. {advice}"))
            }
            error => Fault::Handshake(format!("the TLS handshake failed: {}", words::of_error(error))),
        })
    }

    fn broken_handshake(&self, error: &io::Error) -> Fault {
        Fault::Handshake(format!("the connection broke during the TLS handshake: {error}{}", self.hint()))
    }

    /// A likely cause for the end of the connection, as the end of a sentence. Empty if none is known.
    fn hint(&self) -> &'static str {
        if self.certificate_wanted && !self.answered {
            ". The service had asked for a client certificate, which this library does not send"
        } else {
            ""
        }
    }
}

fn client_certificate(alert: AlertDescription) -> Fault {
    Fault::Certificate(format!(
        "the service demands a client certificate, which this library does not send ({})",
        words::name_of_alert(alert)
    ))
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

#[cfg(test)]
mod tests;
