//! Certificates and host names are always verified, and the ways in which TLS ends a connection are distinguished.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::cipher::{OutboundChunks, OutboundPlainMessage};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use serde_json::json;
use userengage::{Client, Delivery, DeliveryPolicy, Options, Outcome, Status};

use super::send;
use crate::support::*;

fn options(base_url: String, ca_file: Option<PathBuf>) -> Options {
    let mut options = Options::default();
    options.base_url = base_url;
    options.ca_file = ca_file;
    options.max_attempts = 2;
    options
}

fn ca_file() -> Option<PathBuf> {
    sandbox().ca_file().map(PathBuf::from)
}

fn sent(options: Options) -> (Outcome, User) {
    let user = User::new();
    let client = Client::new(sandbox().api_key(), options).unwrap();
    (outcome(send(&client, &user.message())), user)
}

fn bad(kind: &str) -> String {
    sandbox().announcement()["bad_tls"][kind].as_str().expect("--bad-certs was given").into()
}

#[test]
fn a_certificate_of_the_ca_file_is_trusted_and_the_connection_kept() {
    let client = Client::new(sandbox().api_key(), options(sandbox().tls_base_url().unwrap(), ca_file())).unwrap();
    let user = User::new();
    for _ in 0..3 {
        assert_eq!(outcome(send(&client, &user.message())).status(), Status::Ok);
    }
    let requests = user.requests();
    assert!(requests.len() == 3 && requests.iter().all(|request| request.connection == requests[0].connection));
}

#[test]
fn both_versions_of_tls_work() {
    for version in [ue_sandbox::TlsVersion::Tls12, ue_sandbox::TlsVersion::Tls13] {
        let sandbox = own_sandbox(|options| options.tls_version = version);
        let options = options(sandbox.tls_base_url().unwrap(), sandbox.ca_file().map(PathBuf::from));
        let client = Client::new(sandbox.api_key(), options).unwrap();
        for _ in 0..2 {
            assert_eq!(outcome(send(&client, &User::new().message())).status(), Status::Ok);
        }
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_before_a_byte_of_the_request() {
    let mut cases: Vec<_> = ["expired", "wrong_host", "untrusted"].map(|kind| (bad(kind), ca_file())).into();
    cases.push((sandbox().tls_base_url().unwrap(), None)); // the built-in roots do not know the sandbox
    for (base_url, ca_file) in cases {
        let (outcome, user) = sent(options(base_url.clone(), ca_file));
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Tls, Delivery::NotDelivered, 1), "{base_url}: {outcome:?}");
        assert!(user.requests().is_empty());
    }
}

#[test]
fn an_unusable_ca_file_is_refused_with_its_name() {
    for path in ["/nonexistent/ca.pem", "/dev/null"] {
        let options = options(sandbox().tls_base_url().unwrap(), Some(path.into()));
        let error = Client::new(sandbox().api_key(), options).unwrap_err();
        assert!(error.to_string().starts_with(&format!("ca_file {path}")), "{error}");
    }
}

#[test]
fn a_handshake_that_is_cut_off_is_tried_again() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "handshake-close"})).unwrap();
    let options = options(sandbox.tls_base_url().unwrap(), sandbox.ca_file().map(PathBuf::from));
    let client = Client::new(sandbox.api_key(), options).unwrap();
    let outcome = outcome(send(&client, &User::new().message()));
    assert_eq!((outcome.status(), outcome.attempts()), (Status::Ok, 2), "{outcome:?}");
}

#[test]
fn plain_http_instead_of_tls_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (outcome, _) = sent(options(base_url, ca_file()));
    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
    assert_eq!(got, (Status::Tls, Delivery::NotDelivered, 2), "{outcome:?}");
}

#[test]
fn the_certainties_hold_over_tls_too() {
    for (fault, expected) in [
        (
            json!({"fault": "close", "where": "before-status", "store": true}),
            (Status::ConnectionLost, Delivery::Unknown),
        ),
        (json!({"fault": "reset", "where": "in-head"}), (Status::ConnectionLost, Delivery::Unknown)),
        (json!({"fault": "close", "where": "in-body"}), (Status::Ok, Delivery::Delivered)),
        (json!({"fault": "garbage"}), (Status::BadReply, Delivery::Unknown)),
        (json!({"fault": "status", "status": 503}), (Status::ServerError, Delivery::Unknown)),
    ] {
        let user = User::new();
        user.order([fault.clone()]);
        let mut options = options(sandbox().tls_base_url().unwrap(), ca_file());
        options.delivery_policy = DeliveryPolicy::AtMostOnce;
        let client = Client::new(sandbox().api_key(), options).unwrap();
        let outcome = outcome(send(&client, &user.message()));
        assert_eq!((outcome.status(), outcome.delivery()), expected, "{fault}: {outcome:?}");
        assert_honest(&outcome, user.shown(), &fault.to_string());
    }
}

#[test]
fn a_large_message_goes_over_tls() {
    let user = User::new();
    let content = "<p>żółć</p>".repeat(100_000);
    let client = Client::new(sandbox().api_key(), options(sandbox().tls_base_url().unwrap(), ca_file())).unwrap();
    send(&client, &userengage::Message::new(user.0.as_str(), &*content)).unwrap();
    let body: serde_json::Value = serde_json::from_slice(user.requests()[0].body()).unwrap();
    assert!(body["content"] == content);
}

/// A certificate authority for one test, and the file with its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: TemporaryFile,
}

struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let name = format!("userengage-tls-{}-{}.pem", std::process::id(), User::new().0);
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        TemporaryFile(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Authority {
    fn new() -> Self {
        Self::named("an authority of the test")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = TemporaryFile::new(issuer.pem());
        Authority { issuer, file }
    }

    /// A server certificate and its key. Valid except for the change that `change` makes.
    fn certify(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(["127.0.0.1".into()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Identity { certificate: params.signed_by(&key, &self.issuer).unwrap(), key: key.serialize_der() }
    }

    fn options(&self, base_url: &str) -> Options {
        options(base_url.into(), Some(self.file.0.clone()))
    }
}

struct Identity {
    certificate: rcgen::Certificate,
    key: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientCertificate {
    NotAsked,
    Asked,
    Demanded,
}

/// Ciphers whose keys [`seal`] can use.
fn provider() -> Arc<CryptoProvider> {
    let suites = [
        ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    Arc::new(CryptoProvider { cipher_suites: suites.to_vec(), ..ring::default_provider() })
}

fn server_config(
    authority: &Authority,
    identity: Identity,
    version: &'static SupportedProtocolVersion,
    client: ClientCertificate,
    tickets: usize,
) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.issuer.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier: Arc<dyn ClientCertVerifier> = match client {
        ClientCertificate::NotAsked => WebPkiClientVerifier::no_client_auth(),
        ClientCertificate::Asked => verifier.allow_unauthenticated().build().unwrap(),
        ClientCertificate::Demanded => verifier.build().unwrap(),
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![identity.certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key)),
        )
        .unwrap();
    config.enable_secret_extraction = true;
    config.send_tls13_tickets = tickets;
    config
}

/// A server that handles each connection with `serve`, and counts them.
fn serve(
    config: ServerConfig,
    serve: impl Fn(ServerConnection, &mut TcpStream) + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, config, serve) = (connections.clone(), Arc::new(config), Arc::new(serve));
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let (config, serve) = (config.clone(), serve.clone());
            thread::spawn(move || {
                serve(ServerConnection::new(config).unwrap(), &mut socket);
                // Read until the client closes: closing with unread bytes would send a reset.
                let _ = std::io::copy(&mut socket, &mut std::io::sink());
            });
        }
    });
    (base_url, connections)
}

const ANSWER: &str = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\":7}";

/// Reads one complete request. False if the connection ends before.
fn read_request(tls: &mut ServerConnection, socket: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match rustls::Stream::new(tls, socket).read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return true;
        }
    }
}

/// Encrypts `plain` into records.
fn records(tls: &mut ServerConnection, plain: &str) -> Vec<u8> {
    tls.writer().write_all(plain.as_bytes()).unwrap();
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records).unwrap();
    }
    records
}

/// Returns a function that encrypts records which rustls itself would never send.
fn seal(tls: ServerConnection) -> impl FnMut(ContentType, &[u8]) -> Vec<u8> {
    let suite = tls.negotiated_cipher_suite().unwrap();
    let (mut sequence, secrets) = tls.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else { panic!("{suite:?}") };
    let mut encrypter = match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
    };
    move |typ, payload| {
        let payload = OutboundChunks::Single(payload);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        sequence += 1;
        encrypter.encrypt(message, sequence - 1).unwrap().encode()
    }
}

/// The record of a fatal alert.
fn fatal_alert(tls: ServerConnection, alert: u8) -> Vec<u8> {
    seal(tls)(ContentType::Alert, &[2, alert])
}

fn outcome_with(options: Options) -> Outcome {
    let client = Client::new(sandbox().api_key(), options).unwrap();
    outcome(send(&client, &User::new().message()))
}

fn facts(outcome: &Outcome) -> (Status, Delivery, u32) {
    (outcome.status(), outcome.delivery(), outcome.attempts())
}

#[test]
fn a_server_that_demands_a_client_certificate_proves_that_nothing_was_delivered() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = Authority::new();
        let config = server_config(&authority, authority.certify(|_| ()), version, ClientCertificate::Demanded, 2);
        let (base_url, connections) = serve(config, |mut tls, socket| {
            assert!(!read_request(&mut tls, socket));
        });
        let mut options = authority.options(&base_url);
        options.delivery_policy = DeliveryPolicy::AtLeastOnce;
        let outcome = outcome_with(options);
        assert_eq!(facts(&outcome), (Status::Tls, Delivery::NotDelivered, 1), "{version:?}: {outcome:?}");
        let text = outcome.message();
        let expected = "The service demands a client certificate, which this library does not send \
                        (TLS alert certificate_required). The message was not delivered.";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{version:?}");
    }
}

#[test]
fn the_demand_for_a_client_certificate_counts_also_where_a_reset_follows_it() {
    let authority = Authority::new();
    let version = &rustls::version::TLS13;
    let config =
        Arc::new(server_config(&authority, authority.certify(|_| ()), version, ClientCertificate::Demanded, 0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client =
        Client::new(sandbox().api_key(), authority.options(&format!("https://{}/", listener.local_addr().unwrap())));
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            assert!(!read_request(&mut tls, &mut socket));
            // Closing with most of the request unread sends a reset.
        }
    });
    let content = "x".repeat(8_000_000);
    let user = User::new();
    let outcome = outcome(send(&client.unwrap(), &userengage::Message::new(user.0.as_str(), &*content)));
    assert_eq!(facts(&outcome), (Status::Tls, Delivery::NotDelivered, 1), "{outcome:?}");
}

/// The outcome of a request that is answered with a fatal alert, and the number of connections.
fn alerted(
    alert: u8,
    version: &'static SupportedProtocolVersion,
    client: ClientCertificate,
    tickets: usize,
) -> (Outcome, usize) {
    let authority = Authority::new();
    let config = server_config(&authority, authority.certify(|_| ()), version, client, tickets);
    let (base_url, connections) = serve(config, move |mut tls, socket| {
        assert!(read_request(&mut tls, socket));
        socket.write_all(&fatal_alert(tls, alert)).unwrap();
    });
    let outcome = outcome_with(authority.options(&base_url));
    (outcome, connections.load(Ordering::SeqCst))
}

/// The alerts of servers that miss a client certificate.
const REFUSALS: [u8; 11] = [40, 41, 42, 43, 44, 45, 46, 48, 49, 51, 116];

#[test]
fn a_refusal_of_the_client_certificate_that_comes_first_is_proof() {
    for alert in REFUSALS {
        let (outcome, connections) = alerted(alert, &rustls::version::TLS13, ClientCertificate::Asked, 0);
        assert_eq!(facts(&outcome), (Status::Tls, Delivery::NotDelivered, 1), "{alert}: {outcome:?}");
        assert_eq!(connections, 1);
    }
}

#[test]
fn an_alert_that_proves_nothing_is_a_lost_connection() {
    use ClientCertificate::{Asked, NotAsked};
    let (tls12, tls13) = (&rustls::version::TLS12, &rustls::version::TLS13);
    for (alert, version, client, tickets, words) in [
        (80, tls13, Asked, 0, "it met a fault of its own (TLS alert internal_error)"),
        (20, tls13, Asked, 0, "(TLS alert bad_record_mac)"),
        (90, tls13, Asked, 0, "(TLS alert user_canceled)"),
        (200, tls13, Asked, 0, "(TLS alert 200)"),
        (40, tls13, NotAsked, 0, "(TLS alert handshake_failure)"),
        (49, tls13, NotAsked, 0, "(TLS alert access_denied)"),
        // The server had accepted the client: it sent tickets, or its last message of the handshake.
        (116, tls13, Asked, 2, "(TLS alert certificate_required)"),
        (42, tls12, Asked, 0, "(TLS alert bad_certificate)"),
        (116, tls12, Asked, 0, "(TLS alert certificate_required)"),
    ] {
        let (outcome, connections) = alerted(alert, version, client, tickets);
        let expected = (Status::ConnectionLost, Delivery::Unknown, 1);
        assert_eq!(facts(&outcome), expected, "{alert} {version:?} {client:?} {tickets}: {outcome:?}");
        let text = outcome.message();
        assert!(text.starts_with("The service ended the TLS connection before the answer was complete: "), "{text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(connections, 1);
    }
}

#[test]
fn on_a_connection_that_has_answered_a_demand_for_a_certificate_proves_nothing() {
    let authority = Authority::new();
    let config =
        server_config(&authority, authority.certify(|_| ()), &rustls::version::TLS13, ClientCertificate::Asked, 0);
    let (base_url, connections) = serve(config, |mut tls, socket| {
        assert!(read_request(&mut tls, socket));
        socket.write_all(&records(&mut tls, ANSWER)).unwrap();
        assert!(read_request(&mut tls, socket));
        socket.write_all(&fatal_alert(tls, 116)).unwrap();
    });
    let client = Client::new(sandbox().api_key(), authority.options(&base_url)).unwrap();
    let first = outcome(send(&client, &User::new().message()));
    assert_eq!(facts(&first), (Status::Ok, Delivery::Delivered, 1), "{first:?}");
    let second = outcome(send(&client, &User::new().message()));
    assert_eq!(facts(&second), (Status::ConnectionLost, Delivery::Unknown, 1), "{second:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// Bytes that follow an answer in the same write.
#[derive(Clone, Copy, Debug)]
enum Tail {
    Alert,
    BrokenRecord,
    Junk,
    CloseNotifyAndJunk,
}

fn tail(tls: ServerConnection, tail: Tail) -> Vec<u8> {
    const JUNK: &[u8] = b"\xff\xfe no TLS at all \r\n\r\n";
    match tail {
        Tail::Alert => fatal_alert(tls, 80),
        Tail::BrokenRecord => [&[23, 3, 3, 0, 40][..], &[7; 40]].concat(),
        Tail::Junk => JUNK.to_vec(),
        Tail::CloseNotifyAndJunk => [&seal(tls)(ContentType::Alert, &[1, 0])[..], JUNK].concat(),
    }
}

#[test]
fn an_answer_counts_whatever_comes_after_it_in_the_same_read() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for end in [Tail::Alert, Tail::BrokenRecord, Tail::Junk, Tail::CloseNotifyAndJunk] {
            let authority = Authority::new();
            let config = server_config(&authority, authority.certify(|_| ()), version, ClientCertificate::NotAsked, 0);
            let (base_url, connections) = serve(config, move |mut tls, socket| {
                assert!(read_request(&mut tls, socket));
                let answer = records(&mut tls, ANSWER);
                socket.write_all(&[answer, tail(tls, end)].concat()).unwrap();
            });
            let client = Client::new(sandbox().api_key(), authority.options(&base_url)).unwrap();
            for connection in 1..=2 {
                let outcome = outcome(send(&client, &User::new().message()));
                assert_eq!(facts(&outcome), (Status::Ok, Delivery::Delivered, 1), "{version:?} {end:?}: {outcome:?}");
                assert_eq!(connections.load(Ordering::SeqCst), connection, "{version:?} {end:?}");
            }
        }
    }
}

#[test]
fn half_an_answer_before_the_alert_counts_as_half_an_answer() {
    let authority = Authority::new();
    let config =
        server_config(&authority, authority.certify(|_| ()), &rustls::version::TLS13, ClientCertificate::NotAsked, 0);
    let (base_url, _) = serve(config, |mut tls, socket| {
        assert!(read_request(&mut tls, socket));
        let answer = records(&mut tls, &ANSWER[..ANSWER.len() - 4]);
        socket.write_all(&[answer, fatal_alert(tls, 80)].concat()).unwrap();
    });
    let outcome = outcome_with(authority.options(&base_url));
    assert_eq!(facts(&outcome), (Status::Ok, Delivery::Delivered, 1), "{outcome:?}");
}

#[test]
fn bytes_that_are_not_tls_instead_of_an_answer_are_a_bad_reply() {
    for end in [Tail::BrokenRecord, Tail::Junk] {
        let authority = Authority::new();
        let config = server_config(
            &authority,
            authority.certify(|_| ()),
            &rustls::version::TLS13,
            ClientCertificate::NotAsked,
            0,
        );
        let (base_url, _) = serve(config, move |mut tls, socket| {
            assert!(read_request(&mut tls, socket));
            socket.write_all(&tail(tls, end)).unwrap();
        });
        let outcome = outcome_with(authority.options(&base_url));
        assert_eq!(facts(&outcome), (Status::BadReply, Delivery::Unknown, 1), "{end:?}: {outcome:?}");
        let text = outcome.message();
        assert!(text.starts_with("What came before the answer was complete is not valid TLS: "), "{text}");
    }
}

#[test]
fn a_kept_connection_that_is_flooded_with_tickets_is_dropped() {
    let authority = Authority::new();
    let config =
        server_config(&authority, authority.certify(|_| ()), &rustls::version::TLS13, ClientCertificate::NotAsked, 0);
    let (base_url, connections) = serve(config, |mut tls, socket| {
        assert!(read_request(&mut tls, socket));
        let answer = records(&mut tls, ANSWER);
        let mut seal = seal(tls);
        // NewSessionTicket: lifetime, age_add, a nonce, a ticket, no extensions (RFC 8446, section 4.6.1).
        let ticket = [&[4, 0, 0, 46][..], &[0, 0, 1, 0], &[7; 4], &[1, 1], &[0, 32], &[9; 32], &[0, 0]].concat();
        let tickets: Vec<u8> = (0..2000).flat_map(|_| seal(ContentType::Handshake, &ticket)).collect();
        socket.write_all(&[answer, tickets].concat()).unwrap();
        while socket.write_all(&seal(ContentType::Handshake, &ticket)).is_ok() {}
    });
    let client = Client::new(sandbox().api_key(), authority.options(&base_url)).unwrap();
    for connection in 1..=3 {
        let (outcome, took) = timed(|| outcome(send(&client, &User::new().message())));
        assert_eq!(facts(&outcome), (Status::Ok, Delivery::Delivered, 1), "{outcome:?}");
        assert_eq!(connections.load(Ordering::SeqCst), connection);
        assert!(took.as_secs() < 5, "{took:?}");
    }
}

#[test]
fn the_words_for_a_certificate_name_the_fault_and_the_remedy() {
    let (other, namesake) = (Authority::named("another authority"), Authority::new());
    type Make<'a> = &'a dyn Fn(&Authority) -> Identity;
    let cases: [(&str, Make<'_>, &[&str]); 8] = [
        (
            "a certificate authority's",
            &|_| {
                let mut params = CertificateParams::new(["127.0.0.1".into()]).unwrap();
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                let key = KeyPair::generate().unwrap();
                Identity { certificate: params.self_signed(&key).unwrap(), key: key.serialize_der() }
            },
            &[
                "certificate of a certificate authority, used as the server's own",
                "signed by that authority",
                "ca_file",
            ],
        ),
        (
            "expired",
            &|authority| {
                authority.certify(|params| {
                    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
                    params.not_after = rcgen::date_time_ymd(2019, 12, 31);
                })
            },
            &["expired at Tue, 31 Dec 2019 00:00:00 UTC", "this machine's clock"],
        ),
        (
            "not yet valid",
            &|authority| authority.certify(|params| params.not_before = rcgen::date_time_ymd(2100, 1, 1)),
            &["valid from Fri, 01 Jan 2100 00:00:00 UTC on", "this machine's clock"],
        ),
        (
            "another host's",
            &|authority| {
                authority.certify(|params| {
                    let names = CertificateParams::new(["wrong.example".into(), "10.0.0.1".into()]).unwrap();
                    params.subject_alt_names = names.subject_alt_names;
                })
            },
            &["made out to wrong.example, 10.0.0.1, but the host is 127.0.0.1", "Check base_url"],
        ),
        (
            "of no host",
            &|authority| authority.certify(|params| params.subject_alt_names.clear()),
            &["names no host, but the host is 127.0.0.1"],
        ),
        (
            "of an unknown issuer",
            &|_| other.certify(|_| ()),
            &["no authority that is trusted here has issued it", "ca_file"],
        ),
        (
            "of an authority of the same name",
            &|_| namesake.certify(|_| ()),
            &["Another authority issued it than the one of the same name in ca_file"],
        ),
        (
            "not for servers",
            &|authority| {
                authority.certify(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
            },
            &["not made for a server"],
        ),
    ];
    for (name, make, words) in cases {
        let authority = Authority::new();
        let identity = make(&authority);
        let ca_file = match name {
            "a certificate authority's" => TemporaryFile::new(identity.certificate.pem()),
            _ => TemporaryFile::new(authority.issuer.pem()),
        };
        let config = server_config(&authority, identity, &rustls::version::TLS13, ClientCertificate::NotAsked, 0);
        let (base_url, connections) = serve(config, |mut tls, socket| assert!(!read_request(&mut tls, socket)));
        let outcome = outcome_with(options(base_url, Some(ca_file.0.clone())));
        assert_eq!(facts(&outcome), (Status::Tls, Delivery::NotDelivered, 1), "{name}: {outcome:?}");
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        let text = outcome.message();
        assert!(text.starts_with("The service's certificate cannot be trusted: "), "{name}: {text}");
        for words in words {
            assert!(text.contains(words), "{name}: {words} in {text}");
        }
    }
}

#[test]
fn the_error_for_an_unusable_ca_file_says_what_is_wrong() {
    let key = KeyPair::generate().unwrap();
    let authority = Authority::new();
    let pem = authority.issuer.pem();
    let cut = &pem[..pem.len() / 2];
    let damaged = pem.replacen("MII", "M!!", 1);
    let foreign = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, words) in [
        (&b""[..], "is empty"),
        (b"not a certificate", "holds no certificate"),
        (key.serialize_pem().as_bytes(), "holds a private key and no certificate"),
        (authority.issuer.der(), "is in binary form (DER), not PEM"),
        (cut.as_bytes(), "is cut off: an END line is missing"),
        (damaged.as_bytes(), "is damaged: what stands between BEGIN and END is not base64"),
        (
            foreign.as_bytes(),
            "holds a certificate that cannot be used, for it is not encoded as certificates are (DER)",
        ),
    ] {
        let file = TemporaryFile::new(content);
        let options = options("https://localhost/".into(), Some(file.0.clone()));
        let error = Client::new(sandbox().api_key(), options).unwrap_err().to_string();
        let expected = format!("ca_file {} {words}: give the path of a PEM file", file.0.display());
        assert!(error.starts_with(&expected), "{error}");
    }
    for (path, words) in [("/nonexistent/ca.pem", "does not exist"), ("/", "is a directory")] {
        let options = options("https://localhost/".into(), Some(path.into()));
        let error = Client::new(sandbox().api_key(), options).unwrap_err().to_string();
        assert!(error.starts_with(&format!("ca_file {path} {words}: give the path of a PEM file")), "{error}");
    }
}
