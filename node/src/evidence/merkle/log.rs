//! The log on disk: tiles that are written once, the growing ones at the right edge, and a head.
//!
//! Nothing here is synced or renamed into place: all of it can be built anew from the journal, and is, when
//! it does not fit. Tiles are written before the head, under names that the last head does not refer to,
//! and the head by one write in place; so a process that is killed leaves the last head with its tiles. A
//! power loss may leave any of the files old, empty or torn; then either the edge does not give the head's
//! root, and the log starts anew, or a full tile does not give what the tile above it says, which shows
//! when it is first read. (ext4 writes a file out at once that was renamed over another: a cache need not
//! wait for that at every append.)
//!
//! Full tiles lie as C2SP tlog-tiles says. Of the growing tile of each level only the widest partial one
//! is kept: narrower ones are its beginning.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, iter, mem};

use anjuan_sync::Digest;
use lru::LruCache;

use super::proof::{Range, consistency_ranges, inclusion_ranges};
use super::tile::{HEIGHT, LEVELS, Tile, TileId, WIDTH};
use super::{ConsistencyProof, InclusionProof, MAX_SIZE, MerkleError, TreeHead, inner};
use crate::files::{File, Files, read_file};
use crate::journal::JournalId;

const HEAD: &str = "head";
const HEAD_NAME: &str = "anjuan-merkle ";
const HEAD_FORMAT: &str = "anjuan-merkle 1";
/// Bytes in a head: four lines of fixed length.
const HEAD_LENGTH: u64 = 16 + 33 + 21 + 65;
/// Full tiles kept in memory with their inner hashes, 16 KiB each.
const CACHED: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// How an opened log stands to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It goes on where it was; the records of the journal from its size on are to be appended.
    Continued,
    /// There was none.
    New,
    /// It did not fit (another journal's, ahead of the journal, damaged): all records are to be appended.
    Anew,
}

/// The leaves of a journal, in tiles, and proofs over them. Its memory does not grow with the log: at most
/// 1 MiB of tiles.
#[derive(Debug)]
pub struct MerkleLog {
    files: Arc<dyn Files>,
    dir: PathBuf,
    journal: JournalId,
    head_file: Arc<dyn File>,
    edge: Edge,
    full: Mutex<LruCache<TileId, Arc<Tile>>>,
}

/// The growing tile of each level, and how many leaves there are.
#[derive(Clone, Debug)]
struct Edge {
    size: u64,
    tiles: Vec<Tile>,
}

impl MerkleLog {
    /// Opens the log of `journal`, which has `end` durable records, in `dir`.
    ///
    /// What does not fit is left to be overwritten and the log begins empty: [`Start`] says so. Append
    /// the records from [`Self::size`] on before anything is asked of it.
    pub fn open(
        files: Arc<dyn Files>,
        dir: &Path,
        journal: JournalId,
        end: u64,
    ) -> Result<(Self, Start), MerkleError> {
        files.create_dir(dir).map_err(io_error("make", dir))?;
        let path = dir.join(HEAD);
        let (head_file, start) = match files.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (files.create(&path).map_err(io_error("make", &path))?, Start::New)
            }
            opened => (opened.map_err(io_error("open", &path))?, Start::Anew),
        };
        let mut log = Self {
            files,
            dir: dir.to_owned(),
            journal,
            head_file,
            edge: Edge::new(),
            full: Mutex::new(LruCache::new(CACHED)),
        };
        let head = log.read_head()?.filter(|head| head.size <= end);
        if let Some(edge) = head.and_then(|head| log.read_edge(head)) {
            log.edge = edge;
            return Ok((log, Start::Continued));
        }
        log.clear()?;
        Ok((log, start))
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.edge.size
    }

    /// The head over all leaves so far.
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.edge.size,
            root: self.edge.root(),
        }
    }

    /// Appends leaves, as [`super::record_leaf`] hashes them, in the order of the journal. All of them are
    /// there or, after an error, none; then the same ones may be appended again.
    ///
    /// One call for many leaves: each call writes the growing tiles and the head.
    pub fn append(&mut self, leaves: &[Digest]) -> Result<TreeHead, MerkleError> {
        if leaves.is_empty() {
            return Ok(self.head());
        }
        if self.edge.size.saturating_add(leaves.len() as u64) > MAX_SIZE {
            return Err(MerkleError::Full);
        }
        let mut edge = self.edge.clone();
        for leaf in leaves {
            edge.push(*leaf, |id, tile| {
                self.write(&id.path(&self.dir), &tile.to_bytes())
            })?;
        }
        for (id, tile) in edge
            .growing()
            .filter(|(id, tile)| self.edge.width_of(*id) != tile.width())
        {
            self.write(&id.partial_path(&self.dir, tile.width()), &tile.to_bytes())?;
        }
        self.write_head(&TreeHead {
            size: edge.size,
            root: edge.root(),
        })?;
        let before = mem::replace(&mut self.edge, edge);
        // Left-overs do no harm, so a failure to remove them is none.
        for (id, tile) in before.growing() {
            self.drop_partial(id, tile.width());
        }
        Ok(self.head())
    }

    /// Forgets all leaves, to append all records of the journal anew. The way out of
    /// [`MerkleError::Damaged`].
    pub fn clear(&mut self) -> Result<(), MerkleError> {
        let path = self.dir.join(HEAD);
        self.head_file.truncate(0).map_err(io_error("empty", &path))?;
        self.edge = Edge::new();
        self.full.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// Reads every full tile and compares it with the one above: after a start that followed a power loss.
    pub fn check(&self) -> Result<(), MerkleError> {
        for level in 0..LEVELS {
            let full = self.edge.size.checked_shr(HEIGHT * (level + 1)).unwrap_or(0);
            for index in 0..full {
                self.full_tile(TileId { level, index })?;
            }
        }
        Ok(())
    }

    /// The hash of one leaf.
    pub fn leaf(&self, index: u64) -> Result<Digest, MerkleError> {
        self.within(index.saturating_add(1))?;
        self.subtree(0, index)
    }

    /// The head as it was when the log had `size` leaves.
    pub fn head_at(&self, size: u64) -> Result<TreeHead, MerkleError> {
        self.within(size)?;
        if size == 0 {
            return Ok(TreeHead::empty());
        }
        Ok(TreeHead {
            size,
            root: self.hash_of(Range {
                start: 0,
                length: size,
            })?,
        })
    }

    /// Proves that leaf `index` lies in the log of `size` leaves.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<InclusionProof, MerkleError> {
        self.within(size)?;
        if index >= size {
            return Err(MerkleError::Beyond { size, asked: index });
        }
        let hashes = inclusion_ranges(index, size)
            .into_iter()
            .map(|range| self.hash_of(range));
        Ok(InclusionProof::from_hashes(hashes.collect::<Result<_, _>>()?))
    }

    /// Proves that the log of `new` leaves continues the log of `old` leaves.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, MerkleError> {
        self.within(new)?;
        if old > new {
            return Err(MerkleError::Beyond {
                size: new,
                asked: old,
            });
        }
        if old == 0 || old == new {
            return Ok(ConsistencyProof::from_hashes(Vec::new()));
        }
        let hashes = consistency_ranges(old, new)
            .into_iter()
            .map(|range| self.hash_of(range));
        Ok(ConsistencyProof::from_hashes(hashes.collect::<Result<_, _>>()?))
    }

    fn within(&self, asked: u64) -> Result<(), MerkleError> {
        if asked <= self.edge.size {
            Ok(())
        } else {
            Err(MerkleError::Beyond {
                size: self.edge.size,
                asked,
            })
        }
    }

    /// The hash over a node's leaves: complete subtrees, folded from the right.
    fn hash_of(&self, Range { start, length }: Range) -> Result<Digest, MerkleError> {
        let mut end = start + length;
        let mut hash = None;
        while end > start {
            let height = (end - start).trailing_zeros();
            let span = 1u64 << height;
            let left = self.subtree(height, (end - span) >> height)?;
            hash = Some(match &hash {
                None => left,
                Some(right) => inner(&left, right),
            });
            end -= span;
        }
        Ok(hash.expect("a node has leaves"))
    }

    /// The `index`th complete subtree of 2^`height` leaves.
    fn subtree(&self, height: u32, index: u64) -> Result<Digest, MerkleError> {
        let (level, within) = (height / HEIGHT, height % HEIGHT);
        let id = TileId {
            level,
            index: index >> (HEIGHT - within),
        };
        let offset = (index & ((1 << (HEIGHT - within)) - 1)) as usize;
        let hash = match self.edge.tile(id) {
            Some(tile) => tile.subtree(within, offset),
            None => self.full_tile(id)?.subtree(within, offset),
        };
        // Every caller keeps within the size, and so within complete subtrees.
        hash.ok_or(MerkleError::Beyond {
            size: self.edge.size,
            asked: (index + 1) << height,
        })
    }

    /// A full tile, as the tile above says it is.
    fn full_tile(&self, id: TileId) -> Result<Arc<Tile>, MerkleError> {
        let cached = |log: &Self| {
            let mut full = log.full.lock().unwrap_or_else(PoisonError::into_inner);
            full.get(&id).cloned()
        };
        if let Some(tile) = cached(self) {
            return Ok(tile);
        }
        let path = id.path(&self.dir);
        let bytes = self.read(&path, (WIDTH * Digest::default().as_bytes().len()) as u64)?;
        let expected = self.subtree(HEIGHT * (id.level + 1), id.index)?;
        match bytes.and_then(|bytes| Tile::from_bytes(&bytes)) {
            Some(tile) if tile.root() == Some(expected) => {
                let tile = Arc::new(tile);
                let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
                full.put(id, Arc::clone(&tile));
                Ok(tile)
            }
            _ => Err(MerkleError::Damaged { path }),
        }
    }

    /// The head in its file, if it can be used.
    fn read_head(&self) -> Result<Option<TreeHead>, MerkleError> {
        let path = self.dir.join(HEAD);
        let mut bytes = vec![0; HEAD_LENGTH as usize + 1];
        let read = self
            .head_file
            .read_at(&mut bytes, 0)
            .map_err(io_error("read", &path))?;
        bytes.truncate(read);
        let Ok(text) = String::from_utf8(bytes) else {
            return Ok(None);
        };
        // A torn head may lack the end of any line.
        let Some((format, rest)) = text.split_once('\n') else {
            return Ok(None);
        };
        if format != HEAD_FORMAT {
            let version = format
                .strip_prefix(HEAD_NAME)
                .and_then(|version| version.parse::<u32>().ok());
            return version.map_or(Ok(None), |_| Err(MerkleError::Newer { path }));
        }
        if text.len() as u64 != HEAD_LENGTH {
            return Ok(None);
        }
        let mut lines = rest.lines();
        let head = (|| {
            let journal = lines.next()?;
            let size = lines.next()?.parse().ok()?;
            let mut root = [0; 32];
            hex::decode_to_slice(lines.next()?, &mut root).ok()?;
            (journal == self.journal.to_string()).then_some(TreeHead {
                size,
                root: Digest::from_bytes(root),
            })
        })();
        Ok(head)
    }

    fn write_head(&self, head: &TreeHead) -> Result<(), MerkleError> {
        let (journal, TreeHead { size, root }) = (self.journal, head);
        let text = format!("{HEAD_FORMAT}\n{journal}\n{size:020}\n{root}\n");
        let written = self.head_file.write_at(text.as_bytes(), 0);
        written.map_err(io_error("write", &self.dir.join(HEAD)))
    }

    /// The growing tiles of a head; none if they don't give its root.
    fn read_edge(&self, head: TreeHead) -> Option<Edge> {
        if head.size > MAX_SIZE {
            return None;
        }
        let mut edge = Edge::new();
        edge.size = head.size;
        for level in 0..LEVELS {
            let hashes = head.size >> (HEIGHT * level);
            let (index, width) = (hashes / WIDTH as u64, (hashes % WIDTH as u64) as usize);
            let mut tile = Tile::new();
            if width > 0 {
                let path = TileId { level, index }.partial_path(&self.dir, width);
                let bytes = self.read(&path, (width * 32) as u64).ok()??;
                tile = Tile::from_bytes(&bytes).filter(|tile| tile.width() == width)?;
            }
            edge.tiles.push(tile);
        }
        (edge.root() == head.root).then_some(edge)
    }

    /// The bytes of a file of exactly this length.
    fn read(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>, MerkleError> {
        let file = match self.files.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io_error("open", path))?,
        };
        if file.size().map_err(io_error("read", path))? != length {
            return Ok(None);
        }
        read_file(&*file).map(Some).map_err(io_error("read", path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), MerkleError> {
        let created = match self.files.create(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => path
                .parent()
                .map_or(Ok(()), |dir| self.files.create_dir(dir))
                .and_then(|()| self.files.create(path)),
            created => created,
        };
        created
            .and_then(|file| file.write_at(bytes, 0))
            .map_err(io_error("write", path))
    }

    /// Removes a partial tile that a wider or full one has taken the place of.
    fn drop_partial(&self, id: TileId, width: usize) {
        let full = self.edge.tile(id).is_none();
        if full || self.edge.width_of(id) != width {
            let _ = self.files.remove(&id.partial_path(&self.dir, width));
        }
        if full {
            let dir = id.partial_dir(&self.dir);
            for name in self.files.list(&dir).unwrap_or_default() {
                let _ = self.files.remove(&dir.join(name));
            }
            let _ = self.files.remove_dir(&dir);
        }
    }
}

impl Edge {
    fn new() -> Self {
        Self {
            size: 0,
            tiles: Vec::new(),
        }
    }

    /// Adds a leaf, and hands out each tile that it fills.
    fn push(
        &mut self,
        leaf: Digest,
        mut filled: impl FnMut(TileId, &Tile) -> Result<(), MerkleError>,
    ) -> Result<(), MerkleError> {
        let mut hash = leaf;
        for level in 0.. {
            if self.tiles.len() == level as usize {
                self.tiles.push(Tile::new());
            }
            let index = self.index(level);
            let tile = &mut self.tiles[level as usize];
            tile.push(hash);
            let Some(root) = tile.root() else { break };
            filled(TileId { level, index }, tile)?;
            *tile = Tile::new();
            hash = root;
        }
        self.size += 1;
        Ok(())
    }

    /// The place of the growing tile of a level.
    fn index(&self, level: u32) -> u64 {
        self.size.checked_shr(HEIGHT * (level + 1)).unwrap_or(0)
    }

    /// A tile that is still growing.
    fn tile(&self, id: TileId) -> Option<&Tile> {
        let tile = self.tiles.get(id.level as usize)?;
        (self.index(id.level) == id.index).then_some(tile)
    }

    fn width_of(&self, id: TileId) -> usize {
        self.tile(id).map_or(0, Tile::width)
    }

    fn growing(&self) -> impl Iterator<Item = (TileId, &Tile)> {
        iter::zip(0.., &self.tiles)
            .map(|(level, tile)| {
                let index = self.index(level);
                (TileId { level, index }, tile)
            })
            .filter(|(_, tile)| tile.width() > 0)
    }

    /// The hash over all leaves: the complete subtrees that the size's bits name, folded from the right.
    fn root(&self) -> Digest {
        let mut hash = None;
        for height in (0..u64::BITS).filter(|height| self.size >> height & 1 == 1) {
            let tile = &self.tiles[(height / HEIGHT) as usize];
            let within = height % HEIGHT;
            let last = (tile.width() >> within).wrapping_sub(1);
            let left = tile
                .subtree(within, last)
                .expect("the size's bits name complete subtrees");
            hash = Some(match &hash {
                None => left,
                Some(right) => inner(&left, right),
            });
        }
        hash.unwrap_or_else(|| TreeHead::empty().root)
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MerkleError {
    let path = path.to_owned();
    move |source| MerkleError::Io { doing, path, source }
}
