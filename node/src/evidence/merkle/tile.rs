//! Tiles: 256 hashes of one height of the tree, as they lie in files (C2SP tlog-tiles), and with the eight
//! heights above them in memory.

use std::path::{Path, PathBuf};

use anjuan_sync::Digest;

use super::inner;

/// Heights of the tree that one tile spans.
pub(super) const HEIGHT: u32 = 8;
/// Hashes in a full tile.
pub(super) const WIDTH: usize = 1 << HEIGHT;
/// Levels of tiles that a log of [`super::MAX_SIZE`] leaves has.
pub(super) const LEVELS: u32 = 48 / HEIGHT + 1;

/// Which tile: its level (0 holds the leaves) and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TileId {
    pub(super) level: u32,
    pub(super) index: u64,
}

impl TileId {
    /// The file of the full tile: `tile/<level>/x001/x234/067`.
    pub(super) fn path(self, dir: &Path) -> PathBuf {
        let mut digits = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            digits = format!("x{:03}/{digits}", rest % 1000);
            rest /= 1000;
        }
        dir.join("tile").join(self.level.to_string()).join(digits)
    }

    /// The folder of its partial tiles: `….p`.
    pub(super) fn partial_dir(self, dir: &Path) -> PathBuf {
        let mut path = self.path(dir).into_os_string();
        path.push(".p");
        path.into()
    }

    /// The file of the partial tile of `width` hashes: `….p/<width>`.
    pub(super) fn partial_path(self, dir: &Path, width: usize) -> PathBuf {
        self.partial_dir(dir).join(width.to_string())
    }
}

/// A tile with all complete subtrees in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// By height, from the tile's own hashes up; each is as long as there are complete subtrees.
    heights: Vec<Vec<Digest>>,
}

impl Tile {
    pub(super) fn new() -> Self {
        Self {
            heights: vec![Vec::new(); HEIGHT as usize + 1],
        }
    }

    /// From a file's bytes; `None` if they are not 1 to 256 hashes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || !(1..=WIDTH).contains(&hashes.len()) {
            return None;
        }
        let mut tile = Self::new();
        for hash in hashes {
            tile.push(Digest::from_bytes(*hash));
        }
        Some(tile)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(WIDTH * 32);
        for hash in &self.heights[0] {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes
    }

    /// Adds a hash, and the subtrees that it completes.
    pub(super) fn push(&mut self, hash: Digest) {
        self.heights[0].push(hash);
        for height in 1..self.heights.len() {
            let [.., left, right] = self.heights[height - 1].as_slice() else {
                return;
            };
            if !self.heights[height - 1].len().is_multiple_of(2) {
                return;
            }
            let hash = inner(left, right);
            self.heights[height].push(hash);
        }
    }

    /// Hashes that were added.
    pub(super) fn width(&self) -> usize {
        self.heights[0].len()
    }

    /// The hash over all 256, once they are there.
    pub(super) fn root(&self) -> Option<Digest> {
        self.heights[HEIGHT as usize].first().copied()
    }

    /// The hash of the `index`th subtree of this height within the tile, if it is complete.
    pub(super) fn subtree(&self, height: u32, index: usize) -> Option<Digest> {
        self.heights[height as usize].get(index).copied()
    }
}
