//! Exporting an audit bundle.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::Path;

use anjuan_sync::Timestamp;
use ed25519_dalek::VerifyingKey;

use super::call::{AuditExport, Handle, Progress};
use super::disclosing::Opened;
use super::{ErrorKind, Service, ServiceError, view};
use crate::audit::export::{ExportError, Source};
use crate::audit::scope::{Disclosed, Holding, SealedState};
use crate::audit::{Export, Exported, Extras, Scope, export};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::name::{NodeName, Origin};
use crate::ledger::{DocumentKey, Journalled};
use crate::particulars::Subject;
use crate::text;
use crate::text::Text;

/// Checkpoints put into a bundle: some months of those an hour apart, and all that a header can name besides.
const MAX_CHECKPOINTS: usize = 2_048;
/// Contradictions of others put into one.
const MAX_CONFLICTS: usize = 256;

/// The journal as it stood, and what the keystore holds beside it.
struct WithSealed<'s> {
    journal: Journalled,
    service: &'s Service,
}

impl Source for WithSealed<'_> {
    fn end(&self) -> u64 {
        self.journal.end()
    }

    fn record(&mut self, position: u64) -> Result<(u8, Vec<u8>), ExportError> {
        Ok(self.journal.record(position)?)
    }

    fn sealed(&mut self, document: &DocumentKey) -> Result<Vec<SealedState>, ExportError> {
        let mut ledger = self.service.ledger();
        let Some(projection) = ledger.projection(document)? else {
            return Ok(Vec::new());
        };
        let commitments = projection
            .particulars
            .iter()
            .filter_map(|one| one.commitment.parse().ok());
        let state = |commitment| {
            let subject = Subject {
                space: document.space.clone(),
                document: document.id,
                commitment,
            };
            let holding = if ledger.keystore().is_erased(&subject) {
                Holding::Erased
            } else if ledger.keystore().has_body(&subject) {
                Holding::Held
            } else {
                Holding::Absent
            };
            SealedState { commitment, holding }
        };
        Ok(commitments.map(state).collect())
    }
}

impl From<ExportError> for ServiceError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Ledger(error) => error.into(),
            ExportError::Io(error) => Self::new(
                ErrorKind::Storage,
                text!(
                    "无法写入审计文件:{error}",
                    "the audit bundle cannot be written: {error}"
                ),
            )
            .with_hint(Text::new(
                "检查磁盘空间和权限",
                "check the room on the disk and the permissions",
            )),
            ExportError::Record { .. } => Self::new(ErrorKind::Damaged, Text::same(error.to_string()))
                .with_hint(Text::new("运行 anjuan verify", "run anjuan verify")),
            ExportError::Nothing => Self::new(
                ErrorKind::NotFound,
                Text::new(
                    "本节点没有所要求的记录",
                    "this node holds nothing of what was asked for",
                ),
            ),
            ExportError::TooManyCheckpoints => Self::new(
                ErrorKind::Usage,
                Text::new(
                    "检查点过多;请去掉最早的一些",
                    "too many checkpoints; leave out the oldest",
                ),
            ),
        }
    }
}

fn usage(message: Text) -> ServiceError {
    ServiceError::new(ErrorKind::Usage, message)
}

fn instant(text: &str) -> Result<Timestamp, ServiceError> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed
        .map(|instant| Timestamp::from_millis(instant.as_millisecond()))
        .map_err(|_| {
            usage(text!(
                "时间 {text} 应为 RFC 3339",
                "{text} is not an instant as RFC 3339 writes it"
            ))
        })
}

fn notes(texts: &[String]) -> Result<Vec<SignedCheckpoint>, ServiceError> {
    texts
        .iter()
        .map(|note| {
            SignedCheckpoint::parse(note.as_bytes()).map_err(|error| {
                usage(text!(
                    "检查点无法读取:{error}",
                    "a checkpoint cannot be read: {error}"
                ))
            })
        })
        .collect()
}

impl Service {
    fn scope_of(&self, call: &AuditExport) -> Result<Scope, ServiceError> {
        Ok(match (&call.document, &call.unit, &call.from, &call.to) {
            (None, None, None, None) => Scope::All,
            (Some(document), None, None, None) => {
                let key = self.find_document("case", document)?;
                Scope::Document(key.space, key.id)
            }
            (None, Some(unit), None, None) => Scope::Unit(unit.path()),
            (None, None, from, to) => {
                let from = from.as_deref().map(instant).transpose()?;
                let to = to.as_deref().map(instant).transpose()?;
                Scope::Period(
                    from.unwrap_or(Timestamp::EARLIEST),
                    to.unwrap_or(Timestamp::LATEST),
                )
            }
            _ => {
                return Err(usage(Text::new(
                    "案件、单位、期间只能选一种",
                    "a case, a unit or a period: one of them",
                )));
            }
        })
    }

    /// What this node signed of its journal and others cosigned, besides `checkpoints`; and contradictions of
    /// others that it keeps.
    fn extras(
        &self,
        mut checkpoints: Vec<SignedCheckpoint>,
        disclosed: BTreeMap<DocumentKey, Vec<Disclosed>>,
    ) -> Result<Extras, ServiceError> {
        let exhibits = self.exhibits()?;
        let former = exhibits.former.iter();
        let former = former.flat_map(|former| former.cosigned.iter().chain([&former.last]));
        let own = former
            .chain(&exhibits.history)
            .chain(&exhibits.cosigned)
            .chain(&exhibits.newest);
        for checkpoint in own {
            if !checkpoints.contains(checkpoint.as_signed()) {
                checkpoints.push(checkpoint.as_signed().clone());
            }
        }
        // The newest prove the most.
        let surplus = checkpoints.len().saturating_sub(MAX_CHECKPOINTS);
        checkpoints.drain(..surplus);
        let conflicts = exhibits.conflicts.iter();
        let conflicts = conflicts.map(|evidence| [evidence.earlier.clone(), evidence.later.clone()]);
        Ok(Extras {
            checkpoints,
            conflicts: conflicts.take(MAX_CONFLICTS).collect(),
            disclosed,
        })
    }

    /// The name of this node's journal.
    fn origin(&self) -> Result<Origin, ServiceError> {
        let ledger = self.ledger();
        let key = VerifyingKey::from_bytes(self.0.node.public().as_bytes())
            .map_err(|error| ServiceError::new(ErrorKind::Damaged, Text::same(error.to_string())))?;
        let name = NodeName::new(ledger.network(), self.0.unit.clone(), &key);
        Ok(name.log(ledger.epochs().current))
    }
}

fn taken(path: &Path) -> ServiceError {
    let name = path.display();
    usage(text!("{name} 已存在", "{name} exists already"))
        .with_hint(Text::new("换一个文件名", "choose another name"))
}

/// A new file, for this user alone. Whatever fails later, no half of a bundle stays.
fn create(path: &Path) -> Result<File, ServiceError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let name = path.display();
        usage(text!("无法写入 {name}:{error}", "cannot write {name}: {error}")).with_hint(Text::new(
            "换一个文件名,或检查权限",
            "choose another name, or check the permissions",
        ))
    })
}

impl Handle<AuditExport> for Service {
    fn handle(
        &self,
        call: AuditExport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::AuditExported, ServiceError> {
        let scope = self.scope_of(&call)?;
        let kept = notes(&call.since)?;
        let checkpoints = notes(&call.checkpoints)?;
        let path = Path::new(&call.out);
        let opened = match &call.disclose {
            Some(_) if !call.payloads => {
                return Err(usage(Text::new(
                    "披露个人信息须同时导出案卷内容",
                    "particulars go with what the documents say",
                ))
                .with_hint(Text::new("加上 --payloads", "add --payloads")));
            }
            // What can't be written is not to be told of in any case.
            Some(_) if path.exists() => return Err(taken(path)),
            Some(disclose) => self.disclose(&scope, disclose)?,
            None => Opened::default(),
        };
        let (disclosed, undisclosed) = (opened.len(), opened.closed);
        let extras = self.extras(checkpoints, opened.disclosed)?;
        let journal = self.ledger().journalled()?;
        // Each takes the ledger's lock for itself.
        let network = self.ledger().network();
        let origin = self.origin()?;
        let asked = Export {
            network,
            origin,
            scope: scope.clone(),
            whole: call.all_headers,
            payloads: call.payloads,
            made_at: self.now(),
            splits: kept.iter().map(|note| note.unverified().head().size).collect(),
            sealed: true,
        };
        let total = 3 * journal.end();
        let mut source = WithSealed {
            journal,
            service: self,
        };
        let file = create(path)?;
        let written = export(&mut source, &asked, extras, &file, &mut |done| {
            progress(Progress { done, total })
        })
        .and_then(|done: Exported| Ok(file.sync_all().map(|()| done)?));
        let done = match written {
            Ok(done) => done,
            Err(error) => {
                // The error that counts is the first.
                let _ = std::fs::remove_file(path);
                return Err(error.into());
            }
        };
        Ok(view::AuditExported {
            file: call.out,
            scope: scope.text(),
            bytes: done.bytes,
            records: done.records,
            shown: done.shown,
            documents: done.documents,
            checkpoints: done.checkpoints,
            disclosed,
            undisclosed,
        })
    }
}
