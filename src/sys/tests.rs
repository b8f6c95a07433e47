use super::*;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

#[test]
fn poll_tells_what_is_ready_and_what_is_not() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    let interests = [Interest::read(&theirs), Interest::write(&ours)];
    let ready = poll(&interests, Duration::ZERO).unwrap();
    assert!(!ready.has(0) && ready.has(1));
    ours.write_all(b"x").unwrap();
    assert!(poll(&interests[..1], Duration::from_secs(5)).unwrap().has(0));
}

#[test]
fn start_connect_reaches_ipv4_and_ipv6() {
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    }
    for address in addresses {
        let listener = TcpListener::bind(address).unwrap();
        let stream = start_connect(&listener.local_addr().unwrap()).unwrap();
        assert!(poll(&[Interest::write(&stream)], Duration::from_secs(5)).unwrap().any());
        let stream = stream.get().unwrap();
        assert!(stream.take_error().unwrap().is_none());
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    }
}
