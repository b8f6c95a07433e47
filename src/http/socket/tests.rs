use std::net::TcpListener;
use std::sync::Arc;

use super::*;
use crate::model::hooks::Hooks;
use crate::sys::CancelSignal;

fn connect(addresses: &[SocketAddr], wait: Duration) -> Result<Socket, Fault> {
    let context = CallContext::new(Arc::new(Hooks::default()), Arc::new(CancelSignal::new().unwrap()));
    Socket::connect(addresses, &context, Instant::now() + wait)
}

fn live() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn refusing() -> SocketAddr {
    live().1
}

#[test]
fn a_dead_address_beside_a_live_one_costs_its_head_start() {
    let (_hole, dead) = sys::black_hole();
    let (listener, address) = live();
    let started = Instant::now();
    let socket = connect(&[dead, address], Duration::from_secs(10)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(socket.0.get().unwrap().peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[test]
fn a_refusal_moves_on_to_the_next_address_at_once() {
    let (_listener, address) = live();
    assert!(connect(&[refusing(), refusing(), address], Duration::from_secs(10)).is_ok());
}

#[test]
fn if_every_address_refuses_the_last_refusal_is_reported() {
    let address = refusing();
    let Err(Fault::Connect(text)) = connect(&[refusing(), address], Duration::from_secs(10)) else {
        panic!("it connected")
    };
    assert!(text.starts_with(&format!("no connection to {address}: Connection refused")), "{text}");
}

#[test]
fn a_black_hole_ends_at_the_deadline() {
    let (_hole, dead) = sys::black_hole();
    let started = Instant::now();
    assert!(matches!(connect(&[dead], Duration::from_millis(300)), Err(Fault::Deadline(_))));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(800), "{took:?}");
}

#[test]
fn no_address_is_an_error() {
    assert!(matches!(connect(&[], Duration::from_secs(1)), Err(Fault::Connect(_))));
}

#[test]
fn the_interrupt_callback_ends_a_connect() {
    let (_hole, dead) = sys::black_hole();
    let hooks = Hooks { log: None, interrupt: Some(Arc::new(|| true)) };
    let context = CallContext::new(Arc::new(hooks), Arc::new(CancelSignal::new().unwrap()));
    let connected = Socket::connect(&[dead], &context, Instant::now() + Duration::from_secs(20));
    assert!(matches!(connected, Err(Fault::Cancelled)));
}

#[test]
fn a_connection_to_itself_counts_as_refused() {
    let error = connected(&sys::connected_to_itself()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}
