//! Updates in the columns of a page.
//!
//! Of an update, what the receiver can derive is left out: the network is the session's, hash and length
//! of the payload come from the payload, and the predecessor's id from the update before it in the same
//! log, if that stands earlier in the page. Logs, their certificates and documents are named once and go
//! by number from then on. Nothing depends on the receiver's deriving it right: the signature is over the
//! whole header.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::chunk::{self, Chunks};
use super::columns::{Column, Reader, Writer, damaged, not_canonical};
use crate::id::{AuthorKey, CertificateId, DocumentId, LogEpoch, NetworkId, PayloadHash, UpdateId};
use crate::log::LogId;
use crate::path::Space;
use crate::session::error::Violation;
use crate::signed::SignedUpdate;
use crate::update::{HEADER_VERSION, RawHeader, Timestamp};

/// The predecessor is named.
const PREVIOUS: u8 = 1;
/// The certificate is named: another than that of the update before in this log.
const CERTIFICATE: u8 = 1 << 1;
const CONTINUES: u8 = 1 << 2;
const BRACKET: u8 = 1 << 3;
/// The payload is a chunk, and stands without its frame.
const CHUNK: u8 = 1 << 4;
const ALL: u8 = PREVIOUS | CERTIFICATE | CONTINUES | BRACKET | CHUNK;

/// A log as it is first named.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Named {
    #[n(0)]
    space: Space,
    #[n(1)]
    author: AuthorKey,
    #[n(2)]
    epoch: LogEpoch,
}

/// What a page told of a log so far.
#[derive(Debug)]
struct LogSoFar {
    log: LogId,
    /// The place and id of its last update.
    last: Option<(u64, UpdateId)>,
    certificate: Option<CertificateId>,
}

impl LogSoFar {
    fn new(log: LogId) -> Self {
        Self {
            log,
            last: None,
            certificate: None,
        }
    }

    /// The place after the last one.
    fn expected(&self) -> u64 {
        self.last.map_or(1, |(seq, _)| seq.wrapping_add(1))
    }

    /// What the predecessor of the update at this place must be, as far as the page tells.
    fn previous(&self, seq: u64) -> Option<UpdateId> {
        let (_, id) = self.last.filter(|_| seq == self.expected())?;
        Some(id)
    }
}

/// What a page told so far.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    logs: Vec<LogSoFar>,
    log_numbers: BTreeMap<LogId, usize>,
    documents: Vec<DocumentId>,
    document_numbers: BTreeMap<DocumentId, usize>,
    time: i64,
    chunks: Chunks,
}

impl SoFar {
    fn name_log(&mut self, log: LogId) -> usize {
        let number = self.logs.len();
        self.logs.push(LogSoFar::new(log.clone()));
        self.log_numbers.insert(log, number);
        number
    }

    fn name_document(&mut self, document: DocumentId) {
        self.document_numbers.insert(document, self.documents.len());
        self.documents.push(document);
    }

    fn note(&mut self, number: usize, update: &SignedUpdate) {
        let header = update.header();
        let log = &mut self.logs[number];
        log.last = Some((header.seq(), update.id()));
        log.certificate = Some(header.certificate());
        self.time = header.recorded_at().as_millis();
    }

    pub(super) fn write(&mut self, writer: &mut Writer, update: &SignedUpdate) {
        let raw = update.header().clone().into_raw();
        let mut flags = 0;
        let id = update.header().log();
        let number = match self.log_numbers.get(&id) {
            // 0: new; otherwise counted back from the one named last.
            Some(&number) => {
                writer.number(Column::Log, (self.logs.len() - number) as u64);
                number
            }
            None => {
                writer.number(Column::Log, 0);
                let named = Named {
                    space: raw.space,
                    author: raw.author,
                    epoch: raw.epoch,
                };
                minicbor::encode(&named, writer.column(Column::Logs))
                    .expect("writing to a vector does not fail");
                self.name_log(id)
            }
        };
        let log = &self.logs[number];
        writer.signed(Column::Seq, raw.seq.wrapping_sub(log.expected()) as i64);
        if let Some(previous) = raw.previous
            && raw.previous != log.previous(raw.seq)
        {
            flags |= PREVIOUS;
            writer.bytes(Column::Ids, previous.as_bytes());
        }
        if log.certificate != Some(raw.certificate) {
            flags |= CERTIFICATE;
            writer.bytes(Column::Ids, raw.certificate.as_bytes());
        }
        if let Some(continues) = raw.continues {
            flags |= CONTINUES;
            writer.bytes(Column::Ids, continues.as_bytes());
        }
        if let Some(bracket) = &raw.bracket {
            flags |= BRACKET;
            writer.text(Column::Brackets, bracket);
        }
        let time = raw.recorded_at.as_millis();
        writer.signed(Column::Time, time.wrapping_sub(self.time));
        match self.document_numbers.get(&raw.document) {
            Some(&number) => writer.number(Column::Document, (self.documents.len() - number) as u64),
            None => {
                writer.number(Column::Document, 0);
                writer.bytes(Column::Documents, raw.document.as_bytes());
                self.name_document(raw.document);
            }
        }
        writer.bytes(Column::Signatures, update.signed_header().signature());
        if self.chunks.write(writer, update.payload(), number, raw.document) {
            flags |= CHUNK;
        } else {
            writer.number(Column::Lengths, update.payload().len() as u64);
            writer.bytes(Column::Payloads, update.payload());
        }
        writer.byte(Column::Flags, flags);
        self.note(number, update);
    }

    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        network: NetworkId,
    ) -> Result<SignedUpdate, Violation> {
        let flags = reader.byte(Column::Flags)?;
        if flags & !ALL != 0 {
            return Err(damaged("an update with unknown flags"));
        }
        let number = match reader.number(Column::Log)? {
            0 => {
                let rest = reader.rest(Column::Logs);
                let mut decoder = minicbor::Decoder::new(rest);
                let named: Named = decoder
                    .decode()
                    .map_err(|error| Violation::Page(error.to_string()))?;
                let (read, after) = rest.split_at(decoder.position());
                *rest = after;
                not_canonical(minicbor::to_vec(&named).is_ok_and(|written| written != read))?;
                let log = LogId {
                    space: named.space,
                    author: named.author,
                    epoch: named.epoch,
                };
                not_canonical(self.log_numbers.contains_key(&log))?;
                self.name_log(log)
            }
            back => back_from(self.logs.len(), back)?,
        };
        let log = &self.logs[number];
        let LogId { space, author, epoch } = log.log.clone();
        let step = reader.signed(Column::Seq)?;
        let seq = log.expected().wrapping_add(step as u64);
        let id = |flag, reader: &mut Reader<'_>| match flags & flag {
            0 => Ok(None),
            _ => reader.array::<32>(Column::Ids).map(Some),
        };
        let previous = match id(PREVIOUS, reader)?.map(UpdateId::from_bytes) {
            Some(id) => {
                not_canonical(log.previous(seq) == Some(id))?;
                Some(id)
            }
            None if seq == 1 => None,
            None => log.previous(seq),
        };
        let certificate = match id(CERTIFICATE, reader)?.map(CertificateId::from_bytes) {
            Some(id) => {
                not_canonical(log.certificate == Some(id))?;
                id
            }
            None => log
                .certificate
                .ok_or_else(|| damaged("an update without a certificate"))?,
        };
        let continues = id(CONTINUES, reader)?.map(UpdateId::from_bytes);
        let bracket = match flags & BRACKET {
            0 => None,
            _ => Some(reader.text(Column::Brackets)?.to_vec()),
        };
        let time = self.time.wrapping_add(reader.signed(Column::Time)?);
        let document = match reader.number(Column::Document)? {
            0 => {
                let document = DocumentId::from_bytes(reader.array(Column::Documents)?);
                not_canonical(self.document_numbers.contains_key(&document))?;
                self.name_document(document);
                document
            }
            back => self.documents[back_from(self.documents.len(), back)?],
        };
        let signature = reader.array(Column::Signatures)?;
        let payload = match flags & CHUNK {
            0 => {
                let payload = reader.text_apart(Column::Lengths, Column::Payloads)?;
                not_canonical(chunk::is_chunk(payload))?;
                payload.to_vec()
            }
            _ => self.chunks.read(reader, number, document)?,
        };
        let raw = RawHeader {
            version: HEADER_VERSION,
            network,
            space,
            author,
            epoch,
            seq,
            previous,
            document,
            payload_hash: PayloadHash::from_bytes([0; 32]),
            payload_length: 0,
            certificate,
            recorded_at: Timestamp::from_millis(time),
            continues,
            bracket,
        };
        let update = SignedUpdate::assemble(raw, signature, payload)
            .map_err(|error| Violation::Page(error.to_string()))?;
        self.note(number, &update);
        Ok(update)
    }
}

#[cfg(test)]
impl SoFar {
    /// What comes next names its document again.
    pub(super) fn forget_documents(&mut self) {
        self.documents.clear();
        self.document_numbers.clear();
    }

    /// What comes next names its writer again, and what it depends on.
    pub(super) fn forget_chunks(&mut self) {
        self.chunks = Chunks::default();
    }
}

fn back_from(length: usize, back: u64) -> Result<usize, Violation> {
    usize::try_from(back)
        .ok()
        .and_then(|back| length.checked_sub(back))
        .ok_or_else(|| damaged("a reference to what is not in it"))
}
