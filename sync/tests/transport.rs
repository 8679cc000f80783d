//! The transport over real sockets on loopback. Times are bounds for what should come at once; nothing is
//! asserted on how long things take.

#[path = "transport/enrolment.rs"]
mod enrolment;
#[path = "transport/hostile.rs"]
mod hostile;
#[path = "transport/levelling.rs"]
mod levelling;
#[path = "transport/links.rs"]
mod links;
#[path = "transport/listening.rs"]
mod listening;
#[path = "transport/measure.rs"]
mod measure;
#[path = "transport/peer.rs"]
mod peer;
#[path = "transport/pressure.rs"]
mod pressure;
