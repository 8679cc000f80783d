//! The least that a catch-up can cost: the bytes of the signed updates over plain TCP, their signatures in
//! batches, a hash of each, and the bytes appended with `fdatasync` now and then. Two processes, one thread
//! each, nothing compressed, nothing looked at.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use anjuan_sync::hash::{Domain, sha256};
use anjuan_sync::signed::MAX_UPDATE;
use ed25519_dalek::{Signature, VerifyingKey, verify_batch};
use serde_json::{Value, json};

use super::process::Child;
use super::{AnyError, Plan, usage};

/// Signatures checked at once.
const BATCH: usize = 256;
/// Updates between two `fdatasync`.
const SYNCED: u64 = 1_000;
/// What headers are signed under.
const HEADER: Domain = Domain::new("anjuan/update-header/1");

/// Runs it, with two processes.
pub(super) fn measure(plan: &Plan, updates: &Path, folder: &Path) -> Result<Value, AnyError> {
    let mut receiver = Child::start(plan)?;
    let mut sender = Child::start(plan)?;
    let listening = receiver.ask(&json!({"do": "floor-listen"}))?;
    receiver.send(&json!({"do": "floor-receive", "file": folder.join("floor")}))?;
    let sent = sender.ask(&json!({
        "do": "floor-send", "file": updates, "to": listening["address"],
    }))?;
    let received = receiver.answer()?;
    Ok(json!({
        "wall_s": received["wall_s"], "cpu_s": received["cpu_s"], "sender_cpu_s": sent["cpu_s"],
        "bytes": received["bytes"], "updates": received["updates"],
    }))
}

/// Sends a file.
pub(super) fn send(file: &Path, to: SocketAddr) -> Result<Value, AnyError> {
    let before = usage::cpu_seconds();
    let mut stream = TcpStream::connect(to)?;
    std::io::copy(&mut File::open(file)?, &mut stream)?;
    stream.shutdown(Shutdown::Write)?;
    // Until the other side has done its work.
    stream.read_exact(&mut [0])?;
    Ok(json!({"cpu_s": usage::cpu_seconds() - before}))
}

/// An update as far as it is looked at.
struct Signed {
    input: Vec<u8>,
    signature: Signature,
    key: VerifyingKey,
}

/// Takes in what [`send`] sends.
pub(super) fn receive(listener: &TcpListener, file: &Path) -> Result<Value, AnyError> {
    let (mut stream, _) = listener.accept()?;
    let (began, before) = (Instant::now(), usage::cpu_seconds());
    let mut input = BufReader::with_capacity(1 << 20, stream.try_clone()?);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut keys = BTreeMap::new();
    let mut batch = Vec::with_capacity(BATCH);
    let (mut updates, mut bytes, mut hashes) = (0, 0, 0_u64);
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
        let mut update = vec![0; (u32::from_le_bytes(length) as usize).min(MAX_UPDATE)];
        input.read_exact(&mut update)?;
        // So that the hash is not left out as nobody needs it.
        hashes ^= u64::from(sha256(&update).as_bytes()[0]);
        batch.push(read(&update, &mut keys)?);
        out.write_all(&update)?;
        bytes += 4 + update.len() as u64;
        updates += 1;
        if batch.len() == BATCH {
            check(&mut batch)?;
        }
        if updates % SYNCED == 0 {
            out.flush()?;
            out.get_ref().sync_data()?;
        }
    }
    check(&mut batch)?;
    out.flush()?;
    out.get_ref().sync_data()?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), usage::cpu_seconds() - before);
    stream.write_all(&[0])?;
    std::fs::remove_file(file)?;
    Ok(json!({"wall_s": wall, "cpu_s": cpu, "bytes": bytes, "updates": updates, "hashes": hashes}))
}

fn read(update: &[u8], keys: &mut BTreeMap<[u8; 32], VerifyingKey>) -> Result<Signed, AnyError> {
    let mut decoder = minicbor::Decoder::new(update);
    decoder.array()?;
    let header = decoder.bytes()?;
    let signature = Signature::from_slice(decoder.bytes()?)?;
    let mut decoder = minicbor::Decoder::new(header);
    decoder.array()?;
    for _ in ["version", "network", "space"] {
        decoder.skip()?;
    }
    let author: [u8; 32] = decoder.bytes()?.try_into()?;
    let key = match keys.get(&author) {
        Some(key) => *key,
        None => {
            let key = VerifyingKey::from_bytes(&author)?;
            keys.insert(author, key);
            key
        }
    };
    Ok(Signed {
        input: HEADER.signing_input(header),
        signature,
        key,
    })
}

fn check(batch: &mut Vec<Signed>) -> Result<(), AnyError> {
    if batch.is_empty() {
        return Ok(());
    }
    let inputs: Vec<&[u8]> = batch.iter().map(|signed| &signed.input[..]).collect();
    let signatures: Vec<_> = batch.iter().map(|signed| signed.signature).collect();
    let keys: Vec<_> = batch.iter().map(|signed| signed.key).collect();
    verify_batch(&inputs, &signatures, &keys)?;
    batch.clear();
    Ok(())
}
