use futures::io::Cursor;
use proptest::prelude::*;

use super::*;

const PATIENCE: Patience = Patience {
    begin: None,
    stall: AMPLE,
    whole: AMPLE,
};
const SHORT: Patience = Patience {
    stall: STALL,
    ..PATIENCE
};
/// For what is meant to stand still.
const STALL: Duration = Duration::from_millis(20);
/// For what is not.
const AMPLE: Duration = Duration::from_secs(60);
const LIMIT: usize = 1024;

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(future)
}

fn written(frames: &[Vec<u8>]) -> Vec<u8> {
    run(async {
        let mut writer = FrameWriter::new(Cursor::new(Vec::new()));
        for frame in frames {
            writer.send(frame, LIMIT, AMPLE).await.expect("sent");
        }
        writer.io.into_inner()
    })
}

fn read(bytes: &[u8]) -> Result<Vec<Incoming>, FrameError> {
    run(async {
        let mut reader = FrameReader::new(bytes);
        let mut all = Vec::new();
        loop {
            match reader.next(PATIENCE, || LIMIT).await? {
                Incoming::End => return Ok(all),
                incoming => all.push(incoming),
            }
        }
    })
}

/// Gives its bytes in pieces of the sizes given, then nothing more, without an end.
struct Pieces {
    bytes: Vec<u8>,
    sizes: Vec<usize>,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        into: &mut [u8],
    ) -> std::task::Poll<io::Result<usize>> {
        if self.bytes.is_empty() {
            return std::task::Poll::Pending;
        }
        match self.sizes.pop() {
            // A size of zero: not just now.
            Some(0) => {
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            }
            size => {
                let count = size.unwrap_or(usize::MAX).min(into.len()).min(self.bytes.len());
                into[..count].copy_from_slice(&self.bytes[..count]);
                self.bytes.drain(..count);
                std::task::Poll::Ready(Ok(count))
            }
        }
    }
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in_however_the_bytes_are_cut_and_the_reader_is_dropped(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..8),
        sizes in prop::collection::vec(0usize..60, 0..60),
    ) {
        let mut reader = FrameReader::new(Pieces { bytes: written(&frames), sizes });
        let expected = frames.len();
        let got = run(async {
            let mut got = Vec::new();
            while got.len() < expected {
                tokio::select! {
                    biased;
                    incoming = reader.next(PATIENCE, || LIMIT) => match incoming {
                        Ok(Incoming::Frame(frame)) => got.push(frame),
                        other => panic!("{other:?}"),
                    },
                    // Ready at once, so that each read that is not drops the call.
                    () = std::future::ready(()) => {}
                }
            }
            got
        });
        prop_assert_eq!(got, frames);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&bytes);
    }
}

#[test]
fn the_encoding_is_a_length_and_the_bytes() {
    assert_eq!(written(&[vec![7, 8], vec![9]]), [0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9]);
    assert_eq!(
        read(&[0, 0, 0, 1, 9, 255, 255, 255, 255, 2]),
        Ok(vec![
            Incoming::Frame(vec![9]),
            Incoming::Goodbye(CloseReason::Protocol)
        ])
    );
}

#[test]
fn frames_too_long_empty_or_cut_off_are_told_apart() {
    assert_eq!(
        read(&[0, 0, 4, 1]),
        Err(FrameError::TooLong {
            length: 1025,
            limit: 1024
        })
    );
    assert_eq!(read(&[0, 0, 0, 0]), Err(FrameError::Empty));
    assert_eq!(read(&[0, 0]), Err(FrameError::Truncated { received: 2 }));
    assert_eq!(
        read(&[0, 0, 0, 3, 1, 2]),
        Err(FrameError::Truncated { received: 6 })
    );
    assert_eq!(read(&[]), Ok(vec![]));
}

#[test]
fn a_frame_that_stands_still_and_one_that_never_begins_are_given_up() {
    let stalled = |bytes: &[u8], patience| {
        let mut reader = FrameReader::new(Pieces {
            bytes: bytes.into(),
            sizes: Vec::new(),
        });
        run(async move {
            let patience: fn() -> Patience = patience;
            reader.next(patience(), || LIMIT).await
        })
    };
    assert_eq!(
        stalled(&[0, 0, 0, 3, 1], || SHORT),
        Err(FrameError::Stalled { received: 5 })
    );
    assert_eq!(stalled(&[0], || SHORT), Err(FrameError::Stalled { received: 1 }));
    let begun = || Patience {
        begin: Some(Instant::now() + STALL),
        ..PATIENCE
    };
    assert_eq!(stalled(&[], begun), Err(FrameError::Silent));
}

#[test]
fn an_announced_length_alone_takes_no_memory() {
    let limit = 512 * 1024 * 1024;
    let mut reader = FrameReader::new(Pieces {
        bytes: vec![16, 0, 0, 0],
        sizes: Vec::new(),
    });
    let result = run(async { reader.next(SHORT, || limit).await });
    assert_eq!(result, Err(FrameError::Stalled { received: 4 }));
    assert!(reader.body.capacity() <= CHUNK);
}

#[test]
fn what_a_dropped_send_left_is_sent_by_the_next() {
    let bytes = run(async {
        let (near, mut far) = tokio::io::duplex(4);
        let mut writer = FrameWriter::new(compat(near));
        let dropped = timeout(STALL, writer.send(b"first", LIMIT, AMPLE)).await;
        assert!(dropped.is_err(), "nobody reads");
        let all = tokio::spawn(async move {
            use tokio::io::AsyncReadExt as _;
            let mut bytes = vec![0; 4 + 5 + 4 + 6];
            far.read_exact(&mut bytes).await.expect("all bytes");
            bytes
        });
        writer.send(b"second", LIMIT, AMPLE).await.expect("sent");
        all.await.expect("read")
    });
    let frames = [b"first".to_vec(), b"second".to_vec()].map(Incoming::Frame);
    assert_eq!(read(&bytes), Ok(frames.into()));
}

#[test]
fn a_flush_that_is_dropped_again_and_again_gets_no_more_time() {
    run(async {
        let (near, _far) = tokio::io::duplex(4);
        let mut writer = FrameWriter::new(compat(near));
        writer.push(b"frame", LIMIT).expect("short enough");
        let error = loop {
            if let Ok(flushed) = timeout(STALL / 4, writer.flush(STALL)).await {
                break flushed.expect_err("nobody reads");
            }
        };
        assert_eq!(error, FrameError::NotTaken(STALL));
    });
}

#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    run(async {
        let (near, _far) = tokio::io::duplex(4);
        let mut writer = FrameWriter::new(compat(near));
        assert_eq!(
            writer.send(b"frame", LIMIT, STALL).await,
            Err(FrameError::NotTaken(STALL))
        );
    });
}

/// A tokio stream as one of `futures`.
fn compat(io: tokio::io::DuplexStream) -> Compat {
    Compat(io)
}

struct Compat(tokio::io::DuplexStream);

impl AsyncWrite for Compat {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(std::pin::Pin::new(&mut self.0), cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(std::pin::Pin::new(&mut self.0), cx)
    }

    fn poll_close(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(std::pin::Pin::new(&mut self.0), cx)
    }
}
