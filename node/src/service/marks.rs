//! What other stores have of this one, and this one of them, as far as they said so: by a session, or by a
//! bundle. Only saves carrying and comparing; what is forgotten is carried once more.

use std::collections::BTreeMap;

use anjuan_sync::replica::{Cursor, Position};
use anjuan_sync::{NodeKey, Path, Scope, StoreEpoch, Timestamp};
use minicbor::{Decode, Encode};

/// The version of the file.
const VERSION: u16 = 1;
/// Stores remembered; beyond that, the one heard of longest ago is forgotten.
const MOST: usize = 4096;

/// By what a store is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) enum Who {
    /// Its node, from sessions with it.
    #[n(0)]
    Node(#[n(0)] NodeKey),
    /// Its life, from its bundles.
    #[n(1)]
    Store(#[n(0)] StoreEpoch),
}

/// What is known of one store.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Mark {
    /// The unit of its node.
    #[n(0)]
    pub(crate) unit: Path,
    /// What all of this is about: a place, and all that a node there holds.
    #[n(1)]
    pub(crate) scope: Path,
    /// How far it took this store in.
    #[n(2)]
    pub(crate) has: Option<Cursor>,
    /// How far it was taken in here.
    #[n(3)]
    pub(crate) took: Option<Cursor>,
    /// When it was last heard of.
    #[n(4)]
    pub(crate) heard: Timestamp,
    /// When something new last came from it.
    #[n(5)]
    pub(crate) came: Option<Timestamp>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    marks: BTreeMap<Who, Mark>,
    /// Does the file lack something?
    changed: bool,
}

impl Marks {
    /// Reads the file's bytes. What can't be read is forgotten.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let marks = match minicbor::decode::<(u16, BTreeMap<Who, Mark>)>(bytes) {
            Ok((VERSION, marks)) => marks,
            _ => BTreeMap::new(),
        };
        Self {
            marks,
            changed: false,
        }
    }

    /// The file's bytes, if it lacks something.
    pub(crate) fn take_changes(&mut self) -> Option<Vec<u8>> {
        let changed = std::mem::take(&mut self.changed);
        let encode = || minicbor::to_vec((VERSION, &self.marks)).expect("writing to a vector does not fail");
        changed.then(encode)
    }

    /// A store of `unit` was heard of; marks of another scope than before are void.
    pub(crate) fn heard(&mut self, who: Who, unit: &Path, scope: &Path, now: Timestamp) -> &mut Mark {
        self.changed = true;
        if self.marks.len() >= MOST && !self.marks.contains_key(&who) {
            let oldest = self.marks.iter().min_by_key(|(who, mark)| (mark.heard, **who));
            if let Some(oldest) = oldest.map(|(who, _)| *who) {
                self.marks.remove(&oldest);
            }
        }
        let new = || Mark {
            unit: unit.clone(),
            scope: scope.clone(),
            has: None,
            took: None,
            heard: now,
            came: None,
        };
        let mark = self.marks.entry(who).or_insert_with(new);
        if (&mark.unit, &mark.scope) != (unit, scope) {
            *mark = new();
        }
        mark.heard = now;
        mark
    }

    /// The mark of a store that was heard of before.
    pub(crate) fn get_mut(&mut self, who: Who) -> Option<&mut Mark> {
        self.changed = true;
        self.marks.get_mut(&who)
    }

    /// The mark of a store.
    pub(crate) fn get(&self, who: Who) -> Option<&Mark> {
        self.marks.get(&who)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Who, &Mark)> {
        self.marks.iter().map(|(who, mark)| (*who, mark))
    }

    /// Up to where a store of this unit, or this very node, has what a node of `scope` holds, of the store
    /// whose life is `epoch`; the unit. The one heard of last decides, where a unit has several.
    pub(crate) fn had(
        &self,
        wanted: impl Fn(Who, &Mark) -> bool,
        scope: &Scope,
        epoch: StoreEpoch,
    ) -> Option<Position> {
        let fits = |mark: &&Mark| mark.scope.is_at_or_above(scope.unit());
        let known = self
            .iter()
            .filter(|(who, mark)| wanted(*who, mark))
            .map(|(_, mark)| mark)
            .filter(fits)
            .filter_map(|mark| Some((mark.heard, mark.has.filter(|has| has.epoch == epoch)?.position)));
        known.max().map(|(_, position)| position)
    }

    /// How far other stores were taken in within `scope`, those heard of last first.
    pub(crate) fn taken(&self, scope: &Scope) -> Vec<Cursor> {
        let mut taken: Vec<_> = self
            .marks
            .values()
            .filter(|mark| mark.scope.is_at_or_above(scope.unit()))
            .filter_map(|mark| Some((mark.heard, mark.took?)))
            .collect();
        taken.sort_by_key(|(heard, cursor)| (std::cmp::Reverse(*heard), cursor.epoch, cursor.position));
        // A store may be known by its sessions and its bundles: the further of both.
        let mut furthest: Vec<Cursor> = Vec::new();
        for (_, cursor) in taken {
            match furthest.iter_mut().find(|known| known.epoch == cursor.epoch) {
                Some(known) => known.position = known.position.max(cursor.position),
                None => furthest.push(cursor),
            }
        }
        furthest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().expect("a path")
    }

    fn cursor(epoch: u8, position: u64) -> Cursor {
        Cursor {
            epoch: StoreEpoch::from_bytes([epoch; 16]),
            position: Position::new(position),
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn what_is_written_is_read_and_what_cannot_be_read_is_forgotten() {
        let mut marks = Marks::default();
        assert_eq!(marks.take_changes(), None);
        let who = Who::Store(StoreEpoch::from_bytes([1; 16]));
        marks.heard(who, &path("4509/02"), &path("4509/02"), at(5)).has = Some(cursor(2, 7));
        let bytes = marks.take_changes().expect("something to write");
        assert_eq!(marks.take_changes(), None);
        let read = Marks::decode(&bytes);
        assert_eq!(read.get(who), marks.get(who));
        assert_eq!(Marks::decode(&bytes[..bytes.len() - 1]).iter().count(), 0);
        let newer = minicbor::to_vec((2u16, &marks.marks)).expect("encodes");
        assert_eq!(Marks::decode(&newer).iter().count(), 0);
    }

    #[test]
    fn only_what_was_said_of_this_store_and_of_all_that_is_asked_counts() {
        let mut marks = Marks::default();
        let (town, village) = (path("4509/02/001"), path("4509/02/001/001"));
        let by_link = Who::Node(NodeKey::from_bytes([1; 32]));
        let by_file = Who::Store(StoreEpoch::from_bytes([1; 16]));
        marks.heard(by_link, &town, &town, at(1)).has = Some(cursor(9, 100));
        marks.heard(by_file, &town, &village, at(2)).has = Some(cursor(9, 200));
        let epoch = StoreEpoch::from_bytes([9; 16]);
        let of_town = |_: Who, mark: &Mark| mark.unit == town;
        let had = |marks: &Marks, scope: &Path, epoch| marks.had(of_town, &Scope::of(scope.clone()), epoch);
        assert_eq!(had(&marks, &village, epoch), Some(Position::new(200)));
        assert_eq!(
            had(&marks, &town, epoch),
            Some(Position::new(100)),
            "the bundle was of the village alone"
        );
        assert_eq!(had(&marks, &town, StoreEpoch::from_bytes([8; 16])), None);
        // It says less than before: it was set back.
        marks.heard(by_file, &town, &village, at(3)).has = Some(cursor(9, 50));
        assert_eq!(had(&marks, &village, epoch), Some(Position::new(50)));
        // Another scope: what was said is of no use for it.
        assert_eq!(marks.heard(by_file, &town, &town, at(4)).has, None);
    }

    #[test]
    fn a_store_known_in_two_ways_is_told_of_once_and_memory_is_bounded() {
        let mut marks = Marks::default();
        let town = path("4509/02/001");
        for (number, position) in [(1, 10), (2, 30), (3, 20)] {
            let who = Who::Node(NodeKey::from_bytes([number; 32]));
            marks.heard(who, &town, &town, at(number.into())).took = Some(cursor(7, position));
        }
        assert_eq!(marks.taken(&Scope::of(town.clone())), [cursor(7, 30)]);
        for number in 0..MOST as u64 + 10 {
            let mut key = [0xff; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            marks.heard(
                Who::Node(NodeKey::from_bytes(key)),
                &town,
                &town,
                at(100 + number as i64),
            );
        }
        assert_eq!(marks.iter().count(), MOST);
        assert!(marks.taken(&Scope::of(town)).is_empty(), "the oldest went first");
    }
}
