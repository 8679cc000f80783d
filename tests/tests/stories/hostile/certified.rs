//! A village that joined as it should, and whose every key is now in hostile hands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anjuan_node::authority::certificate::{CertificateKind, Certified, Issue};
use anjuan_node::keys::{KdfCost, KeyKind, KeyStore, Passphrase};
use anjuan_node::service::{Options, Service};
use anjuan_sync::id::StoreEpoch;
use anjuan_sync::replica::{LogItem, Position, Record};
use anjuan_sync::session::Few;
use anjuan_sync::session::message::{Description, Hello, Leaves, Listing, Message, PROTOCOL_VERSION, State};
use anjuan_sync::session::page;
use anjuan_sync::transport::{Config, Endpoint, Event, Limits, Link, PeerAddr};
use anjuan_sync::{AuthorKey, Head, LogState, NetworkId, Timestamp, UpdateId, hash};
use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{Anjuan, CHAIR, Family, MEDIATOR, Node, PASSPHRASE, TOWN, VILLAGE};
use anjuan_tests::world::Writer;
use ed25519_dalek::SigningKey;
use minicbor::bytes::ByteVec;

/// 玉城街道's second community.
pub(super) const UNIT: &str = "450902001002";

/// What is in hostile hands, and what the world knows of it.
pub(super) struct Hostile {
    authority: Arc<Certified>,
    authority_key: SigningKey,
    chain: Vec<Vec<u8>>,
    operator: Arc<Certified>,
    operator_key: SigningKey,
    /// An operator of the honest village, whose key was stolen.
    pub(super) robbed: Arc<Certified>,
    pub(super) robbed_key: SigningKey,
    serial: u64,
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("in range"))
}

fn stolen(home: PathBuf, kind: KeyKind, name: &str) -> SigningKey {
    let keys = KeyStore::new(home.join("keys"), KdfCost::STANDARD);
    let name = name.parse().expect("the name of a key");
    let unlocked = keys.unlock(kind, &name, &Passphrase::entered(PASSPHRASE.into()));
    unlocked.expect("the key opens").signing_key().clone()
}

impl Hostile {
    /// Joins the town, is level with it, and turns.
    pub(super) fn join(family: &Family) -> Self {
        let home = family.folder().join(UNIT);
        let anjuan = Anjuan::at(&home);
        let invitation = family
            .anjuan(TOWN)
            .unlocking()
            .answer(&["invite", "--unit", UNIT]);
        let ticket = invitation["ticket"].as_str().expect("a ticket");
        anjuan.unlocking().answer(&["join", ticket]);
        let add = [
            "operator", "add", MEDIATOR, "--label", "莫二", "--role", "mediator",
        ];
        anjuan.unlocking().answer(&add);
        let node = Node::start(&anjuan, &[]);
        until("the town knows the second village", || {
            let list = family.anjuan(TOWN).answer(&["operator", "list", "--unit", UNIT]);
            match list.as_array() {
                Some(operators) if !operators.is_empty() => Ok(()),
                _ => Err(list.to_string()),
            }
        });
        node.stop();

        let service = Service::open(&home, Options::default(), &mut |_| {}).expect("the home opens");
        let ledger = service.ledger();
        let credentials = ledger.credentials();
        let of = |unit: &str, kind: CertificateKind, label: Option<&str>| {
            let unit: anjuan_node::unit::UnitCode = unit.parse().expect("a unit code");
            let mut all = credentials.certificates();
            let found = all.find(|one| {
                let certificate = one.certificate();
                let labelled = label.is_none_or(|label| certificate.label() == label);
                certificate.unit() == &unit && certificate.kind() == kind && labelled
            });
            Arc::clone(found.expect("a certificate"))
        };
        let authority = of(UNIT, CertificateKind::Authority, None);
        // The honest village's certificates are none of this village's business; thieves have copies.
        let robbed_key = stolen(family.anjuan(VILLAGE).home().into(), KeyKind::Operator, CHAIR);
        let robbed = certificate_of(family, &robbed_key);
        Self {
            chain: credentials.chain(authority.id()).expect("a chain"),
            authority,
            authority_key: stolen(home.clone(), KeyKind::Authority, "authority"),
            operator: of(UNIT, CertificateKind::Operator, None),
            operator_key: stolen(home, KeyKind::Operator, MEDIATOR),
            robbed,
            robbed_key,
            serial: 1000,
        }
    }

    pub(super) fn network(&self) -> NetworkId {
        self.authority.network()
    }

    /// The operator with a log of its own in the village's space.
    pub(super) fn writer(&self, epoch: u8) -> Writer {
        let space = anjuan_sync::Space::up(self.authority.certificate().path().clone());
        let mut writer = Writer::new("", &self.operator, epoch, space);
        writer.key = self.operator_key.clone();
        writer.at = now();
        writer
    }

    /// Another node with a good certificate: a peer that misbehaved is kept out for a while.
    pub(super) fn node(&mut self) -> CertifiedNode {
        self.serial += 1;
        let key = SigningKey::from_bytes(hash::sha256(&self.serial.to_be_bytes()).as_bytes());
        let valid = self.authority.certificate();
        let issue = Issue {
            kind: CertificateKind::Node,
            subject: AuthorKey::from_bytes(key.verifying_key().to_bytes()),
            // Any point of the curve will do: nothing is ever sealed to it.
            seal_key: Some([9; 32]),
            unit: UNIT.parse().expect("a unit code"),
            organisation: None,
            roles: std::collections::BTreeSet::new(),
            label: "node".into(),
            serial: self.serial,
            not_before: valid.not_before(),
            not_after: valid.not_after(),
        };
        let certified = self.authority.issue(&self.authority_key, issue).expect("it may");
        let mut chain = self.chain.clone();
        chain.push(certified.signed().encode());
        CertifiedNode {
            key,
            network: self.network(),
            chain,
        }
    }
}

/// A certificate of the honest village, from the town, which holds it.
fn certificate_of(family: &Family, key: &SigningKey) -> Arc<Certified> {
    let copy = family.folder().join("copied-village");
    let status = std::process::Command::new("cp")
        .args([
            "-r".as_ref(),
            family.anjuan(VILLAGE).home().as_os_str(),
            copy.as_os_str(),
        ])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "a copy of the village's home"
    );
    let service = Service::open(&copy, Options::default(), &mut |_| {}).expect("the copy opens");
    let ledger = service.ledger();
    let key = AuthorKey::from_bytes(key.verifying_key().to_bytes());
    let certified = ledger.credentials().operator(key, now()).expect("a certificate");
    Arc::clone(certified)
}

/// A node as a peer meets it: its key, and the chain it shows.
#[derive(Clone)]
pub(super) struct CertifiedNode {
    pub(super) key: SigningKey,
    pub(super) network: NetworkId,
    pub(super) chain: Vec<Vec<u8>>,
}

impl CertifiedNode {
    /// The first eight digits of its key, as logs name it.
    pub(super) fn short(&self) -> String {
        anjuan_sync::NodeKey::from_bytes(self.key.verifying_key().to_bytes())
            .short()
            .to_string()
    }

    pub(super) fn hello(&self) -> Hello {
        let chain: Vec<ByteVec> = self.chain.iter().cloned().map(ByteVec::from).collect();
        Hello {
            version: PROTOCOL_VERSION,
            network: self.network,
            certificate: minicbor::to_vec(chain).expect("encoded"),
            epoch: StoreEpoch::from_bytes([self.key.as_bytes()[0]; 16]),
            clock: now(),
        }
    }

    /// A link to a node, with nothing said yet.
    pub(super) async fn dial(&self, node: &PeerAddr) -> Result<(Endpoint, Link), String> {
        let config = Config {
            key: self.key.clone(),
            listen: Vec::new(),
            mdns: false,
            limits: Limits {
                frame: 64 << 20,
                ..Limits::default()
            },
            seed: [0; 32],
        };
        let (endpoint, mut events) = Endpoint::start(config).await.map_err(|error| error.to_string())?;
        endpoint.dial(node).await.map_err(|error| error.to_string())?;
        loop {
            match events.recv().await {
                Some(Event::Connected(link)) => return Ok((endpoint, link)),
                Some(_) => {}
                None => return Err("the endpoint stopped".to_owned()),
            }
        }
    }

    /// Says that it has more than the node, and hands these records out whatever it is asked for, until the
    /// node hangs up; returns how that went.
    pub(super) async fn offer(self, node: PeerAddr, records: Vec<Record>) -> Result<(), String> {
        let (_endpoint, mut link) = self.dial(&node).await?;
        let failed = |error: anjuan_sync::transport::LinkError| error.to_string();
        link.send(&Message::Hello(self.hello()).encode())
            .await
            .map_err(failed)?;
        loop {
            let frame = link.recv().await.map_err(failed)?;
            let message = Message::decode(&frame).map_err(|error| error.to_string())?;
            for answer in answers(message, &records) {
                link.send(&answer.encode()).await.map_err(failed)?;
            }
        }
    }
}

fn answers(message: Message, records: &[Record]) -> Vec<Message> {
    let page = |id| {
        let raw = page::encode(records);
        Message::Page {
            id,
            length: u32::try_from(raw.len()).expect("short"),
            body: page::compress(&raw),
        }
    };
    match message {
        Message::Hello(_) => {
            vec![]
        }
        Message::State(theirs) => {
            let mut roots = theirs.roots;
            roots.up = hash::sha256(b"there is more here");
            vec![Message::State(State {
                position: Position::new(1),
                roots,
                taken: Some(theirs.position),
                round: theirs.round,
                pulling: false,
                ahead: None,
            })]
        }
        Message::Since { id, after, .. } => vec![
            Message::PageHead {
                id,
                next: Position::new(after.count() + 1),
                records: u32::try_from(records.len()).expect("few"),
                remaining: 0,
            },
            page(id),
        ],
        Message::Describe { id, paths, .. } => {
            let one = |_: &anjuan_sync::Path| Description {
                own: Some(hash::sha256(b"there is more here").into()),
                twigs: Few::new(Vec::new()),
            };
            let descriptions = Few::new(paths.as_slice().iter().map(one).collect());
            vec![Message::Described { id, descriptions }]
        }
        Message::List { id, asks, .. } => {
            let one = |_: &anjuan_sync::session::message::ListAsk| Listing {
                leaves: Leaves::Logs(Few::new(heads(records))),
                more: false,
            };
            let listings = Few::new(asks.as_slice().iter().map(one).collect());
            vec![Message::Listed { id, listings }]
        }
        Message::Lacking { id, places, .. } => vec![
            Message::Lacked {
                id,
                answered: u32::try_from(places.as_slice().len()).expect("few"),
                unclear: Few::new(Vec::new()),
                records: u32::try_from(records.len()).expect("few"),
            },
            page(id),
        ],
        Message::Logs { id, .. } | Message::Fetch { id, .. } => vec![page(id)],
        _ => vec![],
    }
}

/// The logs of these updates, each with one update more than there is.
fn heads(records: &[Record]) -> Vec<LogItem> {
    let mut items: Vec<LogItem> = Vec::new();
    for record in records {
        let Record::Update(update) = record else { continue };
        let header = update.header();
        let state = LogState::Whole(Head {
            seq: header.seq() + 1,
            id: UpdateId::from_bytes([7; 32]),
        });
        let item = LogItem {
            author: header.author(),
            epoch: header.epoch(),
            state,
        };
        items.retain(|other| (other.author, other.epoch) != (item.author, item.epoch));
        items.push(item);
    }
    items.sort_by_key(|item| (item.author, item.epoch));
    items
}
