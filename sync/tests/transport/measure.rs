//! Figures for people: `cargo test -p anjuan-sync --test transport -- --ignored --nocapture measure`.

use std::time::Instant;

use crate::peer::{Over, Peer, within};

const TRIPS: u32 = 2_000;
const PAGES: u32 = 400;
const PAGE: usize = 512 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, asserts nothing"]
async fn measure_round_trip_and_throughput() {
    for over in Over::BOTH {
        let (mut county, mut village) = (Peer::new(1).await, Peer::new(2).await);
        let (mut up, mut down) = village.connect(&mut county, over).await;
        let echo = tokio::spawn(async move {
            for _ in 0..TRIPS {
                let frame = down.recv().await.expect("a frame");
                down.send(&frame).await.expect("sent");
            }
            down
        });
        let began = Instant::now();
        let mut trips = Vec::new();
        for _ in 0..TRIPS {
            let sent = Instant::now();
            up.send(&[7; 100]).await.expect("sent");
            within(up.recv()).await.expect("back");
            trips.push(sent.elapsed());
        }
        let mean = began.elapsed() / TRIPS;
        trips.sort();
        let mut down = echo.await.expect("echoed");
        let took = tokio::spawn(async move {
            let began = Instant::now();
            for _ in 0..PAGES {
                down.recv().await.expect("a page");
            }
            began.elapsed()
        });
        let page = vec![7; PAGE];
        for _ in 0..PAGES {
            up.send(&page).await.expect("sent");
        }
        let took = took.await.expect("read").as_secs_f64();
        let rate = f64::from(PAGES) * PAGE as f64 / took / 1e6;
        let median = trips[trips.len() / 2];
        eprintln!(
            "{over:?}: 100 bytes there and back {mean:?} mean, {median:?} median; 512 KiB pages {rate:.0} MB/s"
        );
    }
}
