//! A slow reader holds its peer back, and memory stays bounded.

use std::time::Duration;

use anjuan_sync::transport::{FrameError, Limits, LinkError};

use crate::peer::{Over, Peer, limits, within};

/// What may be under way: the windows of the connection and a frame in each of the places it passes.
const BOUND: usize = 8 * 1024 * 1024;

#[tokio::test]
async fn what_is_sent_to_a_peer_that_reads_nothing_is_bounded_even_once_its_windows_have_grown() {
    for over in Over::BOTH {
        let stall = Duration::from_millis(500);
        let mut county = Peer::new(1).await;
        let mut village = Peer::with(
            2,
            Limits {
                write_stall: stall,
                ..limits()
            },
        )
        .await;
        let (mut up, mut down) = village.connect(&mut county, over).await;
        let sending = tokio::spawn(async move {
            let frame = vec![7; 64 * 1024];
            let mut sent = 0;
            loop {
                match up.send(&frame).await {
                    Ok(()) => sent += frame.len(),
                    Err(error) => return (sent, error),
                }
            }
        });
        // Read fast for a while, so that whatever may grow has grown; then not at all.
        let mut read = 0;
        while read < 64 * 1024 * 1024 {
            read += within(down.recv()).await.expect("a frame").len();
        }
        let (sent, error) = within(sending).await.expect("the sender gives up");
        assert_eq!(error, LinkError::Frame(FrameError::NotTaken(stall)));
        assert!(sent - read < BOUND, "{over:?}: {} bytes under way", sent - read);
        // What was taken can still be read.
        within(down.recv()).await.expect("a frame");
    }
}
