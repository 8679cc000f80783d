//! Figures for a monitoring system, in the Prometheus text format (version 0.0.4).
//!
//! Written by hand: a dozen names and one label need no registry, and a crate would keep a second copy of
//! figures that the ledger and the network keep anyway.

use std::fmt::{Display, Write as _};

use super::call::{Handle, Metrics, Progress};
use super::{Service, ServiceError, view};
use crate::files::{Disk, Files as _};
use crate::network::{Kin, Totals};

/// The format's lines as they grow.
#[derive(Default)]
struct Text(String);

impl Text {
    /// A name with its meaning, and its values by their labels: `{peer="parent"}`, or nothing.
    fn add<V: Display>(
        &mut self,
        (name, kind): (&str, &str),
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let out = &mut self.0;
        // Writing to a string does not fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.add((name, "gauge"), help, [(String::new(), value)]);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.add((name, "counter"), help, [(String::new(), value)]);
    }
}

/// `{name="value"}`
fn label(name: &str, value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}

fn kin(kin: Kin) -> String {
    label(
        "peer",
        match kin {
            Kin::Parent => "parent",
            Kin::Mirror => "mirror",
            Kin::Child => "child",
            Kin::Beside => "beside",
        },
    )
}

impl Service {
    fn store_metrics(&self, text: &mut Text) -> Result<(), ServiceError> {
        let tally = self.tally()?;
        let documents = tally.documents.iter();
        text.add(
            ("anjuan_documents", "gauge"),
            "Documents held, by kind.",
            documents.map(|(kind, number)| (label("kind", kind), *number)),
        );
        text.gauge(
            "anjuan_idle_updates",
            "Updates stored that cannot be applied: refused by the guard, blocked, or lacking what they build on.",
            tally.idle,
        );
        text.gauge(
            "anjuan_quarantined_updates",
            "Updates stored that certificates rule out.",
            tally.quarantined,
        );
        // The notary's lock is taken before the ledger's.
        let (conflicts, witnessed) = {
            let notary = self.notary();
            (notary.conflicts().count(), notary.witness().logs().count())
        };
        let ledger = self.ledger();
        let counts = ledger.counts();
        text.gauge("anjuan_updates", "Updates stored.", counts.updates);
        text.gauge("anjuan_logs", "Logs held.", ledger.logs().iter().count());
        text.gauge(
            "anjuan_forked_logs",
            "Logs found forked.",
            super::status::forks(&ledger),
        );
        text.gauge(
            "anjuan_waiting_updates",
            "Updates held back until their predecessor or certificate comes.",
            ledger.waiting(),
        );
        text.gauge(
            "anjuan_evidence",
            "Things refused and kept as evidence.",
            counts.evidence,
        );
        text.gauge(
            "anjuan_checkpoint_conflicts",
            "Pairs of checkpoints of one node that do not go together, found here or reported.",
            conflicts,
        );
        text.gauge(
            "anjuan_witnessed_logs",
            "Logs of other nodes of which a checkpoint was cosigned here.",
            witnessed,
        );
        text.gauge(
            "anjuan_sealed_items",
            "Sealed items held.",
            ledger.keystore().len(),
        );
        text.gauge(
            "anjuan_journal_end",
            "Frames of the journal that are durable.",
            ledger.journal_end(),
        );
        text.gauge(
            "anjuan_durable_lag",
            "Frames taken in that are not synced to disk yet.",
            ledger.unsynced(),
        );
        text.gauge(
            "anjuan_journal_stopped",
            "1 while the journal takes nothing in.",
            u8::from(ledger.stopped().is_some()),
        );
        drop(ledger);
        // A disk that can't be asked is told of by the journal; here the name is left without a value.
        let free = Disk.free_space(self.home().folder()).ok();
        text.add(
            ("anjuan_disk_free_bytes", "gauge"),
            "Bytes free where the node's home lies.",
            free.map(|free| (String::new(), free)),
        );
        Ok(())
    }

    fn peer_metrics(&self, text: &mut Text) {
        let rows = self.rows();
        let count = |wanted: &dyn Fn(&crate::network::Row) -> bool| {
            Kin::ALL.map(|one| {
                let matching = rows.iter().filter(|row| row.kin == Some(one) && wanted(row));
                (kin(one), matching.count())
            })
        };
        text.add(
            ("anjuan_peers_connected", "gauge"),
            "Peers linked now, by where they stand.",
            count(&|row| row.view.connected),
        );
        text.add(
            ("anjuan_peers_level", "gauge"),
            "Peers linked and level.",
            count(&|row| row.is_level()),
        );
        let waiting = rows.iter().filter(|row| row.next_attempt.is_some()).count();
        text.gauge(
            "anjuan_peers_backing_off",
            "Kept peers that were not reached and are dialled again after a pause.",
            waiting,
        );
        let Some(network) = self.network() else { return };
        let (totals, refused, unreached) = network.totals();
        let of = |one: Kin| totals.get(&one).copied().unwrap_or_default();
        let by_kin = |pick: fn(&Totals) -> u64| Kin::ALL.map(|one| (kin(one), pick(&of(one))));
        for (name, help, pick) in [
            (
                "anjuan_sync_sent_bytes_total",
                "Bytes sent to peers, above the transport.",
                (|totals| totals.sent) as fn(&Totals) -> u64,
            ),
            (
                "anjuan_sync_received_bytes_total",
                "Bytes received from peers, above the transport.",
                |totals| totals.received,
            ),
            (
                "anjuan_sync_round_trips_total",
                "Answers waited for one after the other.",
                |totals| totals.round_trips,
            ),
            ("anjuan_sync_sessions_total", "Peers let in.", |totals| {
                totals.sessions
            }),
        ] {
            text.add((name, "counter"), help, by_kin(pick));
        }
        text.counter(
            "anjuan_sync_sessions_refused_total",
            "Sessions that ended because a side refused the other or broke the protocol.",
            refused,
        );
        text.counter(
            "anjuan_dials_failed_total",
            "Attempts to reach a kept peer that failed.",
            unreached,
        );
        let [serving, pulling] = network.turns();
        text.add(
            ("anjuan_sync_turns", "gauge"),
            "Peers that have their turn: to be served, to be pulled from.",
            [
                (label("side", "serve"), serving),
                (label("side", "pull"), pulling),
            ],
        );
    }
}

impl Handle<Metrics> for Service {
    fn handle(&self, _: Metrics, _: &mut dyn FnMut(Progress)) -> Result<view::Metrics, ServiceError> {
        let mut text = Text::default();
        let version = label("version", env!("CARGO_PKG_VERSION"));
        text.add(("anjuan_build_info", "gauge"), "The program.", [(version, 1)]);
        self.store_metrics(&mut text)?;
        self.peer_metrics(&mut text);
        Ok(view::Metrics { text: text.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out() {
        assert_eq!(label("kind", "a\"b\\c\nd"), "{kind=\"a\\\"b\\\\c\\nd\"}");
    }
}
