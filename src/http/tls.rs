//! TLS: which certificates are trusted, and a session over a [`Socket`].

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

/// The certificate authorities that are trusted.
///
/// Mozilla's, built in, or those of `ca_file` alone. Built in, because the system's store differs from machine to machine,
/// and to read Debian's took the making of a client 0.6 ms in the place of 0.02; who has an authority of their own names
/// its file.
#[derive(Clone)]
pub(crate) struct Roots(Option<Arc<RootCertStore>>);

/// Far above the size of any collection of authorities.
const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;

/// How much of a path is shown.
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
            // On one line, whatever was given for a path.
            let path = path.display().to_string();
            let shown: String = path.chars().take(LONGEST_PATH).flat_map(char::escape_debug).collect();
            Error::invalid(format!(
                "ca_file {shown} {fault}: give the path of a PEM file with the certificates to trust"
            ))
        })
    }

    /// The certificates in a file; or what is wrong with it, as the end of a sentence.
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
        // A pipe could keep its reader waiting, a device has no end.
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
            // Without a lock, which the child of a fork could find held for ever.
            static BUILT_IN: OnceBox<Arc<RootCertStore>> = OnceBox::new();
            BUILT_IN
                .get_or_init(|| Box::new(Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())))
                .clone()
        })
    }
}

/// What a file without certificates holds, as the end of a sentence.
fn without_certificates(bytes: &[u8]) -> &'static str {
    let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    match bytes {
        [] => "is empty",
        // An ASN.1 sequence of more than 255 bytes.
        [0x30, 0x82, ..] => "is in binary form (DER), not PEM",
        _ if has(b"PRIVATE KEY-----") => "holds a private key and no certificate",
        _ if has(b"-----BEGIN TRUSTED CERTIFICATE-----") => "holds certificates in OpenSSL's own form alone",
        _ if has(b"-----BEGIN ") => "holds PEM, but no certificate",
        _ => "holds no certificate",
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
                    .map_err(|error| Fault::Internal(words::of_error(&error)))?
                    .with_root_certificates(self.roots.store())
                    .with_client_cert_resolver(Arc::new(NoCertificate));
                Ok(Arc::new(config))
            })
            .cloned()
    }

    /// Shakes hands with `host` over `socket`.
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
                    // Before every read: bytes that keep coming must not keep the deadline from being looked at.
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
    /// Set when the handshake that this thread processes asks for a client certificate.
    static CERTIFICATE_WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Has no client certificate, and notes that one was asked for.
///
/// All connections share it, as rustls resumes a session only under the resolver that began it. So the note is the
/// thread's: rustls asks while [`Session::fill`] runs, which takes the note.
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

/// Loads no private key: this library never shows a certificate of its own. The code that signs would be 60 KB of it.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this library signs nothing".into()))
    }
}

/// How often [`Session::is_idle`] reads, 4 KiB at most a time. A server sends a few tickets of some 200 bytes.
const MAX_READS_OF_IDLE: usize = 8;

/// The TLS state of one connection. Does not wait: `WouldBlock` says that the socket would.
#[derive(Debug)]
pub(crate) struct Session {
    tls: Box<ClientConnection>,
    /// Why no more records can be read. It is told after the plaintext that came before it.
    failure: Option<rustls::Error>,
    /// The handshake asked for a client certificate. None was sent.
    certificate_wanted: bool,
    /// Plaintext has come.
    answered: bool,
}

impl Session {
    /// Takes plain bytes; they go out with [`Session::flush`]. Takes none while 64 KiB wait.
    pub fn push(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.tls.writer().write(plain)
    }

    pub fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Writes records until none is left, or the socket takes no more.
    pub fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut Writer(socket))?;
        }
        Ok(())
    }

    /// Reads once from the socket, unless there is something to pull. What came is for [`Session::pull`] to tell, a TLS
    /// error and the connection's end included: plaintext may have come before them in the same read.
    pub fn fill(&mut self, socket: &Socket) -> io::Result<()> {
        if self.has_input() {
            return Ok(());
        }
        let was_handshaking = self.tls.is_handshaking();
        match self.tls.read_tls(&mut Reader(socket)) {
            Ok(_) => self.failure = self.tls.process_new_packets().err(),
            // rustls's own: its buffer is full of one message.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.failure = Some(InvalidMessage::HandshakePayloadTooLarge.into());
            }
            Err(error) => return Err(error),
        }
        self.certificate_wanted |= CERTIFICATE_WANTED.take();
        // What the protocol answers by itself, such as the alert that tells the peer why. It may fail to go out: what
        // came counts all the same. The end of the handshake goes out with the request, in one write.
        if self.failure.is_some() || !was_handshaking {
            let _ = self.flush(socket);
        }
        Ok(())
    }

    /// Whether [`Session::pull`] has something to tell: plaintext, the connection's end, or an error.
    pub fn has_input(&mut self) -> bool {
        self.failure.is_some()
            || !matches!(self.tls.reader().fill_buf(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Plain bytes that were received; `WouldBlock` when there are none yet, 0 at the end, clean or not. Any other error
    /// is for [`Session::fault`] to tell.
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

    /// Whether the connection is idle and sound. Takes in what the peer may send at any time (session tickets), but not
    /// without end.
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

    /// What `error`, of [`Session::fill`] or [`Session::pull`] after the handshake, means for a request; `when` it
    /// happened, as in "before the answer was complete".
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

    /// Whether `alert` proves that nothing was read of what was sent after the handshake.
    ///
    /// In TLS 1.3 a client is done before the server has looked at its certificate (RFC 8446, section 2), so the refusal of
    /// it comes after the request has left. It proves something as the first thing that came alone. An answer shows that
    /// the server went on. So does a ticket: a server that asks for a certificate makes it from the client's last messages
    /// (section 4.6.1). In TLS 1.2 the handshake ends with the server's last message.
    fn never_began(&self, alert: AlertDescription) -> bool {
        self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            && self.tls.tls13_tickets_received() == 0
            && !self.answered
            && self.is_about_certificate(alert)
    }

    /// Whether `alert` answers that no client certificate was sent.
    fn is_about_certificate(&self, alert: AlertDescription) -> bool {
        match alert {
            // They have no other meaning.
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => true,
            // What servers send in their place. None of them follows the processing of a request, as internal_error may.
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

    /// `Err` when the handshake can come to nothing any more.
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

    /// What the end of the connection may come from, as the end of a sentence.
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
