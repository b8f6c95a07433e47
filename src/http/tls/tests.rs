use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};

use super::*;
use crate::model::hooks::Hooks;
use crate::sys::CancelSignal;

/// A session with a server. After the handshake the server runs `serve` in a thread of its own.
fn session<T: Send + 'static>(
    tickets: usize,
    serve: impl FnOnce(ServerConnection, TcpStream) -> T + Send + 'static,
) -> (Session, Socket, CallContext, JoinHandle<T>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["127.0.0.1".into()]).unwrap().self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.send_tls13_tickets = tickets;

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).unwrap();
        }
        serve(tls, socket)
    });
    let context = CallContext::new(Arc::new(Hooks::default()), Arc::new(CancelSignal::new().unwrap()));
    let deadline = Instant::now() + Duration::from_secs(20);
    let socket = Socket::connect(&[address], &context, deadline).unwrap();
    let tls = Tls::new(Roots(Some(Arc::new(roots))));
    let mut session = tls.connect("127.0.0.1", &socket, &context, deadline).unwrap();
    session.flush(&socket).unwrap(); // the end of the handshake
    (session, socket, context, server)
}

#[test]
fn the_check_of_an_idle_connection_ends_under_a_flood() {
    for (tickets, is_idle) in [(0, true), (2, true), (500, false)] {
        let (mut session, socket, _, server) = session(tickets, |mut tls, mut socket| {
            while tls.wants_write() {
                tls.write_tls(&mut socket).unwrap();
            }
            socket
        });
        let _open = server.join().unwrap();
        assert_eq!(session.is_idle(&socket), is_idle, "{tickets}");
        // The check did not read the whole flood.
        assert_eq!(socket.is_idle(), is_idle, "{tickets}");
    }
}

#[test]
fn a_flood_of_key_updates_is_given_up() {
    let (mut session, socket, _, server) = session(0, |mut tls, mut socket| {
        for _ in 0..100 {
            tls.refresh_traffic_keys().unwrap();
        }
        while tls.wants_write() {
            tls.write_tls(&mut socket).unwrap();
        }
        socket
    });
    let _open = server.join().unwrap();
    assert!(!session.is_idle(&socket));
    let error = session.pull(&mut [0; 8]).unwrap_err();
    let Fault::Garbage(text) = session.fault(&error, "before the answer was complete") else { panic!() };
    assert!(text.ends_with("the service sent too many TLS messages that carry nothing"), "{text}");
    assert_eq!(session.push(b"more").unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn unsent_plaintext_is_bounded() {
    const LIMIT: usize = 64 * 1024;
    let (mut session, socket, context, server) = session(0, |mut tls, mut socket| {
        let mut read = 0;
        let mut buffer = vec![0; LIMIT];
        while let Ok(count @ 1..) = rustls::Stream::new(&mut tls, &mut socket).read(&mut buffer) {
            read += count;
        }
        read
    });
    let body = vec![b'x'; 30_000_000];
    let mut pushed = 0;
    while pushed < body.len() {
        let before = pushed;
        loop {
            match session.push(&body[pushed..]).unwrap() {
                0 => break,
                count => pushed += count,
            }
        }
        assert!(pushed - before <= LIMIT, "{}", pushed - before);
        while session.wants_write() {
            if let Err(error) = session.flush(&socket) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                context.until_ready(&[Interest::write(&socket)], Instant::now() + Duration::from_secs(20)).unwrap();
            }
        }
    }
    drop((session, socket));
    assert_eq!(server.join().unwrap(), body.len());
}

#[test]
fn received_plaintext_is_pulled_before_more_is_read() {
    let (mut session, socket, context, server) = session(0, |mut tls, mut socket| {
        tls.writer().write_all(&[7; 40_000]).unwrap();
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut socket).unwrap();
        }
        socket
    });
    let _open = server.join().unwrap();
    let mut plain = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        match session.pull(&mut buffer) {
            Ok(0) => break,
            Ok(count) => plain.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                context.until_ready(&[Interest::read(&socket)], Instant::now() + Duration::from_secs(20)).unwrap();
                // If the first call found plaintext, the second one reads nothing.
                let _ = session.fill(&socket).and_then(|()| session.fill(&socket));
            }
        }
    }
    assert_eq!(plain, [7; 40_000]);
}
