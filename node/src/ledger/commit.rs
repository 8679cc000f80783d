//! What this node's own operators record: judged first, then signed, then taken in like anybody's.

use std::sync::Arc;

use anjuan_sync::update::{HEADER_VERSION, RawHeader, payload_hash};
use anjuan_sync::{
    CertificateId, Header, LogEpoch, LogId, LogState, SignedUpdate, Space, Timestamp, UpdateId,
};
use ed25519_dalek::SigningKey;

use super::document_state::DocumentState;
use super::incoming::{Checked, Outcome};
use super::index::DocumentKey;
use super::projection::history;
use super::{Durable, Ledger, LedgerError};
use crate::authority::credentials::AuthorError;
use crate::document::{ChangeError, Document, MAX_DEPS, actor, document_id};
use crate::kind::positions::Positions;
use crate::kind::{Content, Entry, History, Projection, Verdict, kind};
use crate::text::Text;

/// What an operator wants to record.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Name of the kind of document.
    pub kind: String,
    /// Where the document lives.
    pub space: Space,
    /// The document; none to open one.
    pub document: Option<DocumentKey>,
    /// What to say.
    pub content: Content,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The document.
    pub document: DocumentKey,
    /// The update.
    pub update: UpdateId,
    /// What the document comes to now.
    pub projection: Arc<Projection>,
}

/// Why it was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// No kind of this name.
    #[error("{0:?} is not a kind of document")]
    Kind(String),
    /// No such document here.
    #[error("document {} is not here", .0.id)]
    NoDocument(DocumentKey),
    /// The same author opened a document with the very same words before: the second would be the first.
    #[error("exactly this was recorded already, as {}", .0.id)]
    Twice(DocumentKey),
    /// The certificate does not let its holder write there.
    #[error(transparent)]
    Author(#[from] AuthorError),
    /// Certificates rule out whatever this key signs now.
    #[error("{0}")]
    Quarantined(Text),
    /// The signer's role or unit, or the state of the document, forbids it.
    #[error("{reason}")]
    Forbidden {
        /// Why, what would be possible now, and who may.
        reason: Text,
    },
    /// What it says is out of bounds.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// It does not fit into an update.
    #[error("{0}")]
    Update(String),
    /// The store can't take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Judges `draft` as signed under `certificate` with `key` at `now`; if it would count, signs it and
    /// takes it in. `fresh` becomes the epoch if the store needs a new one. `before` is called once it is
    /// known that the draft counts, with what the document will come to; an error from it ends the matter.
    ///
    /// # Errors
    /// [`RecordError`]; then nothing was written.
    pub fn record(
        &mut self,
        draft: &Draft,
        certificate: CertificateId,
        key: &SigningKey,
        now: Timestamp,
        fresh: LogEpoch,
        before: impl FnOnce(&mut Self, &DocumentKey, &Projection) -> Result<(), RecordError>,
    ) -> Result<(Recorded, Durable), RecordError> {
        self.resume()?;
        let kind = kind(&draft.kind).ok_or_else(|| RecordError::Kind(draft.kind.clone()))?;
        let author = anjuan_sync::AuthorKey::from_bytes(key.verifying_key().to_bytes());
        if let Some(document) = &draft.document {
            self.open_document(document)?
                .ok_or_else(|| RecordError::NoDocument(document.clone()))?;
            let ruled_out = |state: &DocumentState| state.own_is_ruled_out(author, self.epochs.current);
            if self.documents.peek(document).is_some_and(ruled_out) {
                self.epoch_is_old = true;
            }
        }
        let log = LogId {
            space: draft.space.clone(),
            author,
            epoch: self.epochs.current,
        };
        if matches!(self.logs.state(&log), Some(LogState::Forked { .. })) {
            // Nothing can be added to it ever again.
            self.epoch_is_old = true;
        }
        if self.epoch_is_old {
            self.begin_epoch(fresh)?;
        }
        let log = LogId {
            epoch: self.epochs.current,
            ..log
        };
        let actor = actor(&author, &log.epoch);
        let (document, payload, is_last) = match &draft.document {
            Some(key) => {
                let state = self.documents.peek(key).and_then(DocumentState::document);
                let document = state.ok_or_else(|| RecordError::NoDocument(key.clone()))?;
                // On top of all there is; a document with very many heads is not all taken up at once.
                let is_last = document.heads().len() <= MAX_DEPS;
                (key.clone(), document.change(&actor, &draft.content)?, is_last)
            }
            None => {
                let (_, payload, _) = Document::create(kind.name(), &actor, &draft.content)?;
                let id = document_id(&draft.space, &author, &log.epoch, &payload_hash(&payload));
                let key = DocumentKey {
                    space: draft.space.clone(),
                    id,
                };
                if self.open_document(&key)?.is_some() {
                    return Err(RecordError::Twice(key));
                }
                (key, payload, true)
            }
        };
        let header = self.next_header(&log, document.clone(), &payload, certificate, now)?;
        self.credentials.certify_author(&header)?;
        let projected = self.judge(&header, draft, &document)?;
        before(self, &document, &projected)?;
        let named = header.bracket().map(<[u8]>::to_vec);
        let update = SignedUpdate::sign(header, payload, key)
            .map_err(|error| RecordError::Update(error.to_string()))?;
        let id = update.get().id();
        let (taken, durable) = self.take(Checked::own(update))?;
        if taken.outcomes != [Outcome::Stored] {
            return Err(RecordError::Update(format!(
                "the ledger did not take its own update: {taken:?}"
            )));
        }
        self.note_bracket(&log, named.as_deref(), now)?;
        if is_last {
            // Judged as what it turned out to be, so what was folded for that is what it comes to.
            self.projections.put(document.clone(), Arc::new(projected));
        }
        let projection = self
            .projection(&document)?
            .ok_or_else(|| RecordError::NoDocument(document.clone()))?;
        Ok((
            Recorded {
                document,
                update: id,
                projection,
            },
            durable,
        ))
    }

    fn next_header(
        &self,
        log: &LogId,
        document: DocumentKey,
        payload: &[u8],
        certificate: CertificateId,
        now: Timestamp,
    ) -> Result<Header, RecordError> {
        let head = match self.logs.state(log) {
            Some(LogState::Whole(head)) => Some(*head),
            Some(LogState::Forked { .. }) => {
                return Err(RecordError::Update(
                    "this log is forked; nothing can be added to it".into(),
                ));
            }
            None => None,
        };
        let former = || {
            let log_of = |epoch| LogId { epoch, ..log.clone() };
            self.epochs
                .former
                .iter()
                .find_map(|epoch| match self.logs.state(&log_of(*epoch))? {
                    LogState::Whole(head) => Some(head.id),
                    LogState::Forked { .. } => None,
                })
        };
        let raw = RawHeader {
            version: HEADER_VERSION,
            network: self.network,
            space: log.space.clone(),
            author: log.author,
            epoch: log.epoch,
            seq: head.map_or(1, |head| head.seq + 1),
            previous: head.map(|head| head.id),
            document: document.id,
            payload_hash: payload_hash(payload),
            payload_length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            certificate,
            recorded_at: now,
            continues: if head.is_none() { former() } else { None },
            bracket: self.bracket_for(log, now)?,
        };
        Header::try_from(raw).map_err(|error| RecordError::Update(error.to_string()))
    }

    /// Folds the history with the draft as its last entry, and looks whether that counts.
    fn judge(
        &mut self,
        header: &Header,
        draft: &Draft,
        document: &DocumentKey,
    ) -> Result<Projection, RecordError> {
        let kind = kind(&draft.kind).ok_or_else(|| RecordError::Kind(draft.kind.clone()))?;
        let mut past = match &draft.document {
            Some(key) => match self.open_document(key)? {
                Some(_) => history(self.documents.peek(key).expect("just opened"), &self.credentials)?,
                None => return Err(RecordError::NoDocument(key.clone())),
            },
            None => History {
                space: draft.space.clone(),
                document: document.id,
                entries: Vec::new(),
            },
        };
        let signer = self
            .credentials
            .signer(header.certificate())
            .ok_or(AuthorError::Unknown(header.certificate()))?;
        if let crate::authority::credentials::Counting::Quarantined(reason) =
            self.credentials.counting(header)
        {
            return Err(RecordError::Quarantined(reason));
        }
        past.entries.push(Entry {
            update: header.id(),
            signer,
            recorded_at: header.recorded_at(),
            past: Positions::all(past.entries.len()),
            quarantined: None,
            content: Arc::new(draft.content.clone()),
        });
        let projection = kind.fold(&past);
        match projection.verdicts.last().cloned() {
            Some(Verdict::Counts) => Ok(projection),
            Some(Verdict::Void(reason) | Verdict::Quarantined(reason) | Verdict::Contested(reason)) => {
                Err(RecordError::Forbidden { reason })
            }
            Some(Verdict::Unknown) | None => Err(RecordError::Forbidden {
                reason: Text::new("没有这种事件", "there is no such event"),
            }),
        }
    }
}
