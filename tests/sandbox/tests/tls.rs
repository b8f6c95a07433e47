//! TLS with a CA of the sandbox's own, and the ways in which a handshake goes wrong.

mod common;

use common::sandbox_with;
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ue_sandbox::{Options, Sandbox, TlsVersion};

fn with_tls(options: &mut Options) {
    options.tls = true;
}

fn port(url: &str) -> u16 {
    url.split(['/', ':']).find_map(|part| part.parse().ok()).unwrap()
}

/// Sends a message over TLS and gives the first line of the answer, and the version that was spoken.
fn send(sandbox: &Sandbox, url: &str, ca: &Path) -> io::Result<(String, Option<rustls::ProtocolVersion>)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port(url)))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut stream = StreamOwned::new(session, socket);
    let body = r#"{"content": "Hi"}"#;
    let request = format!(
        "POST /api/public/users/42/conversations/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        sandbox.api_key(),
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    // The end must be a close_notify; a bare FIN would be an error here.
    stream.read_to_string(&mut answer)?;
    Ok((answer.lines().next().unwrap_or_default().to_owned(), stream.conn.protocol_version()))
}

#[test]
fn a_message_can_be_sent_over_tls_1_2_and_1_3() {
    for (version, spoken) in [
        (TlsVersion::Any, rustls::ProtocolVersion::TLSv1_3),
        (TlsVersion::Tls12, rustls::ProtocolVersion::TLSv1_2),
        (TlsVersion::Tls13, rustls::ProtocolVersion::TLSv1_3),
    ] {
        let sandbox = sandbox_with(|options| {
            with_tls(options);
            options.tls_version = version;
        });
        let url = sandbox.tls_base_url().unwrap();
        let (line, version) = send(&sandbox, &url, sandbox.ca_file().unwrap()).unwrap();
        assert_eq!((line.as_str(), version), ("HTTP/1.1 201 Created", Some(spoken)));
        assert_eq!(sandbox.journal().stats().stored, 1);
    }
}

#[test]
fn bad_certificates_are_bad_in_the_way_they_say() {
    let sandbox = sandbox_with(|options| options.bad_certs = true);
    let ca = sandbox.ca_file().unwrap();
    for (flaw, word) in [("expired", "Expired"), ("wrong_host", "NotValidForName"), ("untrusted", "UnknownIssuer")] {
        let url = sandbox.announcement()["bad_tls"][flaw].as_str().unwrap();
        let error = send(&sandbox, url, ca).unwrap_err();
        assert!(format!("{error:?}").contains(word), "{flaw}: {error:?}");
    }
    assert_eq!(sandbox.journal().stats().requests, 0);
}

#[test]
fn a_handshake_can_hang_or_be_closed_and_plain_connections_are_spared() {
    let sandbox = sandbox_with(with_tls);
    let url = sandbox.tls_base_url().unwrap();
    let ca = sandbox.ca_file().unwrap();
    sandbox.order(&json!({"fault": "handshake-hang"})).unwrap();
    sandbox.order(&json!({"fault": "handshake-close"})).unwrap();
    assert_eq!(common::Client::connect(&sandbox).send("42", r#"{"content": "a"}"#).status, 201);
    let error = send(&sandbox, &url, ca).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error:?}");
    assert_eq!(send(&sandbox, &url, ca).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert!(send(&sandbox, &url, ca).is_ok());
}

#[test]
fn a_cut_within_tls_has_no_close_notify() {
    let sandbox = sandbox_with(with_tls);
    let url = sandbox.tls_base_url().unwrap();
    for (fault, kind) in [("close", io::ErrorKind::UnexpectedEof), ("reset", io::ErrorKind::ConnectionReset)] {
        sandbox.order(&json!({"fault": fault, "where": "in-head"})).unwrap();
        assert_eq!(send(&sandbox, &url, sandbox.ca_file().unwrap()).unwrap_err().kind(), kind, "{fault}");
    }
}

#[test]
fn the_ca_is_written_where_it_was_told_and_a_temporary_one_goes_with_the_sandbox() {
    let file = std::env::temp_dir().join(format!("ue-sandbox-test-{}.pem", std::process::id()));
    let sandbox = sandbox_with(|options| {
        with_tls(options);
        options.ca_file = Some(file.clone());
    });
    assert_eq!(sandbox.ca_file(), Some(file.as_path()));
    drop(sandbox);
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    std::fs::remove_file(&file).unwrap();

    let sandbox = sandbox_with(with_tls);
    let file = sandbox.ca_file().unwrap().to_owned();
    assert!(file.exists());
    drop(sandbox);
    assert!(!file.exists());
}
