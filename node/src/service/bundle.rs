//! Bundles: what a peer lacks, as a file, and taking in what came as one.
//!
//! What comes in a bundle goes the way of all that peers deliver: the same checks, the same refusals, durable
//! page by page. An import that breaks off simply starts over: what was taken in is known by then.

mod read;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anjuan_sync::bundle::{self, BundleError, Export, Origin, Since};
use anjuan_sync::replica::{Replica, ReplicaError};
use anjuan_sync::{Path as Place, Scope, StoreEpoch};

use self::read::Opened;
use super::call::{BundleExport, BundleImport, BundleRead, Handle, Progress};
use super::marks::{Mark, Who};
use super::{ErrorKind, Service, ServiceError, unit_view, view, words};
use crate::files::{Disk, Files as _};
use crate::network::read_durable;
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;

/// What goes into a bundle.
struct Content {
    scope: Scope,
    since: Since,
    /// For whom.
    peer: Option<Place>,
}

impl Service {
    fn epoch(&self) -> StoreEpoch {
        Replica::epoch(&*self.ledger())
    }

    fn content(&self, call: &BundleExport) -> Result<Content, ServiceError> {
        let peer = call.since.as_deref().map(|peer| self.named(peer)).transpose()?;
        let own = self.ledger().scope().clone();
        let unit = call.scope.as_ref().map(UnitCode::path);
        let unit = unit.or_else(|| peer.as_ref().map(|(_, unit)| unit.clone()));
        let scope = match unit {
            None => own,
            Some(unit) => own.shared(&Scope::of(unit.clone())).ok_or_else(|| {
                ServiceError::new(
                    ErrorKind::Usage,
                    text!(
                        "{unit} 既不是本单位的上级,也不是下级,双方没有共有的内容",
                        "{unit} is neither above nor below this unit: they share nothing"
                    ),
                )
            })?,
        };
        let Some((whos, unit)) = peer else {
            return Ok(Content {
                scope,
                since: Since::Start,
                peer: None,
            });
        };
        let wanted = |who: Who, _: &Mark| whos.contains(&who);
        let epoch = self.epoch();
        let had = self.marks().had(wanted, &scope, epoch);
        let Some(position) = had else {
            let peer = call.since.clone().unwrap_or_default();
            return Err(ServiceError::new(
                ErrorKind::NotFound,
                text!("不知道 {peer} 已有哪些内容", "it is not known what {peer} has"),
            )
            .with_hint(Text::new(
                "先用 --all 导出全部;同步过一次,或导入过对方的数据包之后,才知道对方有什么",
                "export everything with --all; after a sync with it, or once a bundle of it was imported, it is known",
            )));
        };
        Ok(Content {
            scope,
            since: Since::Position(position),
            peer: Some(unit),
        })
    }

    /// The stores that go by this name, a unit's code or a peer id, and their unit.
    fn named(&self, peer: &str) -> Result<(Vec<Who>, Place), ServiceError> {
        let code: Option<UnitCode> = peer.parse().ok();
        let place = code.map(|code| code.path());
        let key = peer
            .parse()
            .ok()
            .and_then(|id| anjuan_sync::transport::peer_key(&id));
        if place.is_none() && key.is_none() {
            return Err(ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "{peer} 既不是单位代码,也不是节点号",
                    "{peer} is neither a unit's code nor a peer id"
                ),
            ));
        }
        let fits = |who: Who, mark: &Mark| {
            Some(&mark.unit) == place.as_ref() || key.is_some_and(|key| who == Who::Node(key))
        };
        let marks = self.marks();
        let found: Vec<_> = marks.iter().filter(|(who, mark)| fits(*who, mark)).collect();
        let unit = found.first().map(|(_, mark)| mark.unit.clone()).or(place);
        let unit = unit.ok_or_else(|| {
            ServiceError::new(
                ErrorKind::NotFound,
                text!("不认识节点 {peer}", "no node {peer} is known"),
            )
            .with_hint(Text::new("用 anjuan peer list 查看", "see `anjuan peer list`"))
        })?;
        Ok((found.into_iter().map(|(who, _)| who).collect(), unit))
    }

    /// Writes a bundle; the ledger is let go after each page.
    fn write_pages(
        &self,
        content: &Content,
        out: File,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<bundle::Progress, BundleError> {
        let origin = Origin {
            network: self.ledger().network(),
            unit: self.0.unit.path(),
            taken: self.marks().taken(&content.scope),
        };
        let Content { scope, since, .. } = content;
        let mut begin = Some((origin, BufWriter::new(&out)));
        let mut begun = None;
        self.reading(&mut |replica| {
            if let Some((origin, out)) = begin.take() {
                begun = Some(Export::begin(
                    replica,
                    origin,
                    scope.clone(),
                    *since,
                    self.now(),
                    out,
                ));
            }
        })?;
        let mut export = begun.expect("the store was read")?;
        loop {
            let mut more = Ok(false);
            self.reading(&mut |replica| more = export.step(replica))?;
            let so_far = export.progress();
            progress(Progress {
                done: so_far.records,
                total: so_far.records + so_far.remaining,
            });
            if !more? {
                drop(export);
                out.sync_all()?;
                return Ok(so_far);
            }
        }
    }

    fn reading(&self, read: &mut dyn FnMut(&dyn Replica)) -> Result<(), ReplicaError> {
        read_durable(self, read)
    }
}

/// A unit as a bundle names it; one that is no unit's code is shown as it is.
fn place_view(place: &Place) -> view::BundleUnit {
    match UnitCode::from_path(place) {
        Ok(code) => {
            let unit = unit_view(&code);
            view::BundleUnit {
                code: unit.code.to_string(),
                name: unit.name,
            }
        }
        Err(_) => view::BundleUnit {
            code: place.to_string(),
            name: String::new(),
        },
    }
}

impl Handle<BundleExport> for Service {
    fn handle(
        &self,
        call: BundleExport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::BundleWritten, ServiceError> {
        let path = PathBuf::from(&call.file);
        let content = self.content(&call)?;
        free(&path)?;
        // Under another name until it is whole: what lies under its own can be carried away.
        let mut name = path.clone().into_os_string();
        name.push(".part");
        let part = PathBuf::from(name);
        let written = create(&part)
            .map_err(BundleError::from)
            .and_then(|file| self.write_pages(&content, file, progress))
            .map_err(|error| words::bundle(&path, &error))
            .and_then(|written| {
                free(&path)?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                Disk.rename(&part, &path)
                    .and_then(|()| Disk.sync_dir(folder))
                    .map_err(|error| words::bundle(&path, &error.into()))?;
                Ok(written)
            });
        let written = written.inspect_err(|_| {
            // Half a bundle is of no use to anybody.
            let _ = fs::remove_file(&part);
        })?;
        Ok(view::BundleWritten {
            file: path.display().to_string(),
            bytes: written.bytes,
            pages: written.pages,
            records: written.records,
            scope: place_view(content.scope.unit()),
            peer: content.peer.as_ref().map(place_view),
            since: match content.since {
                Since::Start => 0,
                Since::Position(position) => position.count(),
            },
        })
    }
}

impl Handle<BundleRead> for Service {
    fn handle(
        &self,
        call: BundleRead,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::BundleSummary, ServiceError> {
        self.summarise(Path::new(&call.file), progress)
    }
}

impl Handle<BundleImport> for Service {
    fn handle(
        &self,
        call: BundleImport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<view::BundleImported, ServiceError> {
        let path = Path::new(&call.file);
        if !call.salvage {
            // Read to its end first: of a damaged one nothing is taken in unasked.
            let Opened { pages, .. } = self.open_bundle(path)?;
            for page in pages {
                if let Err(error) = page {
                    return Err(words::bundle(path, &error));
                }
            }
        }
        let (header, imported) = self.take_pages(path, progress)?;
        self.note_bundle(&header, &imported)?;
        Ok(imported)
    }
}

fn create(part: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // One that broke off may have left its part.
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(part)
}

/// Refuses a path where something stands already.
fn free(path: &Path) -> Result<(), ServiceError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(words::bundle(path, &error.into())),
        Ok(_) => {
            let name = path.display();
            Err(ServiceError::new(
                ErrorKind::Usage,
                text!("{name} 已经存在", "{name} exists already"),
            )
            .with_hint(Text::new("换一个文件名", "choose another name")))
        }
    }
}
