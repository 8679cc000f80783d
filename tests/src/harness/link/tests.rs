use super::*;

/// Answers every connection with what comes, until it ends.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("its number");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let back = stream.try_clone().expect("both ends");
            thread::spawn(move || carry(stream, back, None));
        }
    });
    address
}

fn dial(link: &Link) -> TcpStream {
    let stream = TcpStream::connect(link.address()).expect("the port stays taken");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream
}

/// Says something and hears it back, or how it broke off.
fn hears(stream: &mut TcpStream) -> bool {
    let mut heard = [0; 4];
    stream.write_all(b"back").is_ok() && stream.read_exact(&mut heard).is_ok() && heard == *b"back"
}

#[test]
fn a_line_carries_breaks_and_carries_again() {
    let link = Link::to(echo());
    let mut first = dial(&link);
    assert!(hears(&mut first));
    link.cut();
    assert!(!hears(&mut first), "what was connected is broken");
    assert!(!hears(&mut dial(&link)), "nothing new comes about");
    assert_eq!(link.refused(), 1);
    link.restore();
    assert!(!hears(&mut first), "what broke stays broken");
    assert!(hears(&mut dial(&link)));
    link.throttle(Some(4096));
    assert!(hears(&mut dial(&link)), "slowly");
}

#[test]
fn a_line_leads_where_its_target_went() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let link = Link::to(gone.local_addr().expect("its number"));
    drop(gone);
    assert!(!hears(&mut dial(&link)), "nobody is there");
    link.retarget(echo());
    assert!(hears(&mut dial(&link)));
}
