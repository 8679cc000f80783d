use std::future::Future as _;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::files::Disk;

const RECORD: Kind = Kind::new(1);

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open(Arc::new(Disk), dir, Options::default()).expect("opened")
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    Frame { kind: RECORD, bytes }
}

fn segment(dir: &Path) -> PathBuf {
    dir.join(segment_name(0))
}

#[test]
fn what_is_appended_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("journal");
    let (journal, recovery) = open(&dir);
    assert_eq!((recovery.records, recovery.watermark), (0, Watermark::New));
    let long = vec![7; 100_000];
    let ticket = journal
        .append(&[frame(b"one"), frame(&long), frame(b"")])
        .expect("taken");
    assert_eq!(ticket.positions(), 0..3);
    assert_eq!(ticket.wait().expect("durable"), 0..3);
    assert_eq!(journal.read(1).expect("there").bytes, long);
    assert!(matches!(
        journal.read(3),
        Err(ReadError::BeyondEnd { position: 3, end: 3 })
    ));
    drop(journal);
    let (journal, recovery) = open(&dir);
    assert_eq!(
        (recovery.records, recovery.watermark, recovery.cut),
        (3, Watermark::Sound, None)
    );
    let found: Vec<Vec<u8>> = journal
        .records(0)
        .map(|record| record.expect("there").bytes)
        .collect();
    assert_eq!(found, [b"one".to_vec(), long, Vec::new()]);
    assert_eq!(journal.id(), recovery.id);
}

#[test]
fn writers_get_dense_positions_and_segments_follow_one_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        segment_bytes: 4000,
        ..Options::default()
    };
    let (journal, _) = Journal::open(Arc::new(Disk), folder.path(), options).expect("opened");
    let positions: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let append = |_| {
                        journal
                            .append(&[frame(&[1; 300])])
                            .expect("taken")
                            .wait()
                            .expect("durable")
                            .start
                    };
                    (0..20).map(append).collect::<Vec<u64>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("no panic"))
            .collect()
    });
    let mut sorted = positions;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..160).collect::<Vec<u64>>());
    drop(journal);
    let (journal, recovery) = Journal::open(Arc::new(Disk), folder.path(), options).expect("opened");
    assert_eq!(recovery.records, 160);
    assert!(
        Disk.list(folder.path())
            .expect("listed")
            .iter()
            .filter(|name| name.ends_with(".seg"))
            .count()
            > 5
    );
    assert!(journal.records(0).all(|record| record.is_ok()));
}

/// Those who wait in threads lead in turn, tasks leave it to the journal's thread, and who drops a ticket to
/// neither: nobody is forgotten.
#[test]
fn however_they_wait_everybody_is_told() {
    const EACH: u64 = 150;
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    let append = || journal.append(&[frame(&[1; 100])]).expect("taken");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    append().wait().expect("durable");
                }
            });
            scope.spawn(|| {
                for _ in 0..EACH {
                    futures::executor::block_on(append()).expect("durable");
                }
            });
        }
        scope.spawn(|| (0..EACH).for_each(|_| drop(append())));
    });
    append().wait().expect("durable");
    assert_eq!(journal.end(), 9 * EACH + 1);
}

#[test]
fn a_task_can_await_a_ticket() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let positions = runtime.block_on(async { journal.append(&[frame(b"a")]).expect("taken").await });
    assert_eq!(positions.expect("durable"), 0..1);
    // Polled after the fact, it is ready at once.
    let mut ticket = pin!(journal.append(&[frame(b"b")]).expect("taken"));
    while journal.end() < 2 {
        std::thread::yield_now();
    }
    drop(journal);
    let polled = ticket.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(_))));
}

#[test]
fn a_torn_end_is_cut_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    journal
        .append(&[frame(b"whole")])
        .expect("taken")
        .wait()
        .expect("durable");
    drop(journal);
    let mut bytes = std::fs::read(segment(folder.path())).expect("read");
    let whole = bytes.len();
    let mut torn = Vec::new();
    format::push_frame(
        &mut torn,
        Inspection::of(&Disk, folder.path())
            .expect("read")
            .id()
            .expect("id"),
        1,
        RECORD,
        b"torn",
    );
    bytes.extend_from_slice(&torn);
    std::fs::write(segment(folder.path()), &bytes).expect("written");
    let (journal, recovery) = open(folder.path());
    let cut = recovery.cut.expect("cut");
    assert_eq!((cut.offset, cut.bytes), (whole as u64, torn.len() as u64));
    assert_eq!(std::fs::read(cut.kept_in).expect("kept"), torn);
    assert_eq!(journal.end(), 1);
}

#[test]
fn damage_is_named_mended_and_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    for text in ["zero", "one", "two"] {
        journal
            .append(&[frame(text.as_bytes())])
            .expect("taken")
            .wait()
            .expect("durable");
    }
    drop(journal);
    let path = segment(folder.path());
    let mut bytes = std::fs::read(&path).expect("read");
    let at = bytes
        .windows(3)
        .position(|window| window == b"one")
        .expect("there");
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).expect("written");

    let error = Journal::open(Arc::new(Disk), folder.path(), Options::default())
        .expect_err("damaged")
        .to_string();
    assert!(
        error.contains("segment 00000000000000000000.seg, offset 103: bytes do not match"),
        "{error}"
    );
    assert!(error.contains("(record 1)"), "{error}");
    assert_eq!(std::fs::read(&path).expect("read"), bytes, "nothing was changed");

    let (journal, recovery) =
        Journal::mend(Arc::new(Disk), folder.path(), Options::default()).expect("mended");
    assert_eq!((recovery.lost, recovery.records), (vec![1], 3));
    assert!(matches!(journal.read(1), Err(ReadError::Lost { position: 1 })));
    assert_eq!(journal.read(2).expect("whole").bytes, b"two");
    assert_eq!(
        std::fs::read(folder.path().join("damaged-00000000000000000000.seg-0")).expect("kept"),
        bytes
    );
    assert!(matches!(
        journal.put_back(2, frame(b"2")),
        Err(RepairError::NotLost { position: 2 })
    ));
    journal
        .append(&[frame(b"three")])
        .expect("taken")
        .wait()
        .expect("durable");
    journal.put_back(1, frame(b"one")).expect("put back");
    journal
        .append(&[frame(b"four")])
        .expect("taken")
        .wait()
        .expect("durable");
    drop(journal);
    let (journal, recovery) = open(folder.path());
    assert!(recovery.lost.is_empty());
    let found: Vec<Vec<u8>> = journal
        .records(0)
        .map(|record| record.expect("there").bytes)
        .collect();
    assert_eq!(
        found,
        ["zero", "one", "two", "three", "four"].map(|text| text.as_bytes().to_vec())
    );
}

#[test]
fn a_newer_segment_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    let mut bytes = std::fs::read(segment(folder.path())).expect("read");
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..36]);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(segment(folder.path()), &bytes).expect("written");
    for opened in [Journal::open, Journal::mend] {
        let error = opened(Arc::new(Disk), folder.path(), Options::default())
            .expect_err("newer")
            .to_string();
        assert!(
            error.contains(".seg has format 2, written by a newer version"),
            "{error}"
        );
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(folder.path());
    let long = vec![0; MAX_PAYLOAD + 1];
    assert!(matches!(
        journal.append(&[frame(&long)]),
        Err(AppendError::TooLong { .. })
    ));
    let frames = [frame(&long[1..]); 17];
    assert!(matches!(
        journal.append(&frames),
        Err(AppendError::TooLong { .. })
    ));
    journal
        .append(&frames[..15])
        .expect("taken")
        .wait()
        .expect("durable");
    assert_eq!(
        journal.append(&[]).expect("taken").wait().expect("nothing to do"),
        15..15
    );
}
