//! A line between two nodes that can be cut.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A TCP proxy: whoever dials it reaches the node behind it, as long as the line is whole.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    line: Arc<Mutex<Line>>,
}

#[derive(Debug)]
struct Line {
    target: SocketAddr,
    state: State,
    /// Bytes a second in each direction and connection.
    rate: Option<u32>,
    /// Dials that found the line cut.
    refused: usize,
    /// Both ends of every connection there was.
    streams: Vec<TcpStream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    Gone,
}

impl Link {
    /// A line to the node that listens at `target`.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port for the link");
        let address = listener.local_addr().expect("the port of the link");
        let line = Line {
            target,
            state: State::Whole,
            rate: None,
            refused: 0,
            streams: Vec::new(),
        };
        let line = Arc::new(Mutex::new(line));
        let accepting = Arc::clone(&line);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, line }
    }

    /// Where to dial.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node behind it has started anew, at this address.
    pub fn retarget(&self, target: SocketAddr) {
        lock(&self.line).target = target;
    }

    /// Breaks every connection, and lets none come about. The port stays taken: another process must not get
    /// it meanwhile; who dials is cut off before a byte.
    pub fn cut(&self) {
        lock(&self.line).end(State::Cut);
    }

    /// Lets connections come about again.
    pub fn restore(&self) {
        lock(&self.line).state = State::Whole;
    }

    /// Lets so many bytes a second through, each way, on connections made from now on.
    pub fn throttle(&self, bytes_per_second: Option<u32>) {
        lock(&self.line).rate = bytes_per_second;
    }

    /// How many dials found the line cut.
    pub fn refused(&self) -> usize {
        lock(&self.line).refused
    }
}

impl Line {
    fn end(&mut self, state: State) {
        self.state = state;
        for stream in self.streams.drain(..) {
            // The other side may have hung up already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.line).end(State::Gone);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, line: &Mutex<Line>) {
    for near in listener.incoming() {
        let Ok(near) = near else { continue };
        let mut line = lock(line);
        match line.state {
            State::Gone => return,
            State::Cut => line.refused += 1,
            State::Whole => {
                // Held while it connects, so that a cut leaves no connection behind.
                let Ok(far) = TcpStream::connect(line.target) else {
                    continue;
                };
                let ends = [
                    near.try_clone(),
                    near.try_clone(),
                    far.try_clone(),
                    far.try_clone(),
                ];
                let [Ok(near_out), Ok(near_kept), Ok(far_out), Ok(far_kept)] = ends else {
                    continue;
                };
                line.streams.extend([near_kept, far_kept]);
                let rate = line.rate;
                thread::spawn(move || carry(near, far_out, rate));
                thread::spawn(move || carry(far, near_out, rate));
            }
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, rate: Option<u32>) {
    // Small where it is throttled, so that bytes trickle rather than come in gulps.
    let mut buffer = vec![0; if rate.is_some() { 512 } else { 64 << 10 }];
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(read) => {
                if let Some(rate) = rate {
                    thread::sleep(Duration::from_secs_f64(read as f64 / f64::from(rate.max(1))));
                }
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests;
