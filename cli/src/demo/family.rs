//! Four nodes of the real Yulin tree: city, county, town, village, each with its people.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anjuan_node::authority::role::Role;
use anjuan_node::network::Settings;
use anjuan_node::running::Node;
use anjuan_node::service::call::{
    Call, Handle, Invite, OperatorAdd, Passphrase, PeerAdd, Record, Seal, Show, SignAs, Status,
};
use anjuan_node::service::enrolment::{init, join};
use anjuan_node::service::setup::{Init, Join};
use anjuan_node::service::{ErrorKind, Options, Service, ServiceError, view};
use anjuan_node::text;
use anjuan_node::text::Text;
use anjuan_node::unit::UnitCode;
use anjuan_node::unit::divisions::Divisions;
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::link::Link;
use super::teller::Teller;

/// Seals every key of the demo.
pub(super) const PASSPHRASE: &str = "demo-passphrase";

pub(super) const CITY: &str = "4509";
pub(super) const COUNTY: &str = "450902";
pub(super) const TOWN: &str = "450902001";
pub(super) const VILLAGE: &str = "450902001001";
/// The units of the story, from the top.
pub(super) const UNITS: [&str; 4] = [CITY, COUNTY, TOWN, VILLAGE];

/// How long something that should come about may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(90);

enum Place {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

/// The four nodes, and the village's link to its town.
pub(super) struct Family {
    place: Place,
    nodes: BTreeMap<&'static str, Node>,
    link: Option<Link>,
    detour: Option<String>,
}

/// The official name of a unit.
pub(super) fn name(unit: &str) -> String {
    let code: Option<UnitCode> = unit.parse().ok();
    let division = code.and_then(|code| Divisions::official().get(&code).map(|one| one.name().to_owned()));
    division.unwrap_or_else(|| unit.to_owned())
}

fn fault(message: String) -> ServiceError {
    ServiceError::new(ErrorKind::Internal, Text::same(message))
}

fn settings(peers: Vec<String>) -> Settings {
    Settings {
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        peers,
        witnesses: Vec::new(),
        witness_for: Vec::new(),
        mdns: false,
    }
}

impl Family {
    /// Founds the network at the city and has the others join, one below the other.
    pub(super) fn found(
        runtime: &Runtime,
        keep: Option<&Path>,
        teller: &Teller<'_>,
    ) -> Result<Self, ServiceError> {
        let place = match keep {
            None => Place::Temporary(TempDir::new().map_err(|error| fault(error.to_string()))?),
            Some(folder) => {
                let empty = std::fs::read_dir(folder).map(|mut entries| entries.next().is_none());
                if !empty.unwrap_or(true) {
                    let folder = folder.display();
                    return Err(ServiceError::new(
                        ErrorKind::Usage,
                        text!("{folder} 不是空目录", "{folder} is not an empty folder"),
                    ));
                }
                std::fs::create_dir_all(folder).map_err(|error| fault(error.to_string()))?;
                Place::Kept(folder.to_owned())
            }
        };
        teller.chapter(&Text::new("一、建立网络", "1. Four nodes join into one network"));
        let mut family = Self {
            place,
            nodes: BTreeMap::new(),
            link: None,
            detour: None,
        };
        for (at, unit) in UNITS.into_iter().enumerate() {
            let home = family.home(unit);
            let peers = match at {
                0 => {
                    let root = Init {
                        unit: unit.parse().map_err(|_| fault(format!("{unit} is no unit")))?,
                        name: None,
                        passphrase: Passphrase(PASSPHRASE.into()),
                    };
                    init(&home, &root, Options::default())?;
                    let copied = std::fs::copy(home.join("root.cert"), family.place.path().join("root.cert"));
                    copied.map_err(|error| fault(error.to_string()))?;
                    Vec::new()
                }
                at => family.join(runtime, UNITS[at - 1], unit)?,
            };
            let service = Service::open(&home, Options::default(), &mut |_| {})?;
            service.unlock("authority", &Passphrase(PASSPHRASE.into()))?;
            let node = runtime.block_on(Node::start(service, settings(peers), true))?;
            family.nodes.insert(unit, node);
            let name = name(unit);
            teller.happened(
                unit,
                &match at {
                    0 => text!(
                        "{name}建立根证书,节点启动",
                        "{name} founds the network and starts its node"
                    ),
                    _ => text!(
                        "{name}凭邀请码加入,证书由上级签发",
                        "{name} joins by a ticket, certified from above"
                    ),
                },
            );
        }
        Ok(family)
    }

    fn join(
        &mut self,
        runtime: &Runtime,
        parent: &'static str,
        unit: &str,
    ) -> Result<Vec<String>, ServiceError> {
        let invitation = self.call(
            parent,
            Invite {
                unit: unit.parse().map_err(|_| fault(format!("{unit} is no unit")))?,
                standby: false,
                auditor: false,
                valid_hours: 1,
                passphrase: None,
            },
        )?;
        let ask = Join {
            ticket: invitation.ticket,
            passphrase: Some(Passphrase(PASSPHRASE.into())),
        };
        let joined = join(&self.home(unit), &ask, Options::default())?;
        let address = joined
            .parent
            .ok_or_else(|| fault("a ticket names its parent".into()))?;
        if unit != VILLAGE {
            return Ok(vec![address]);
        }
        // The village reaches its town by a link that the story can cut.
        let (host, peer) = split(&address)?;
        let link = Link::to(runtime, host)?;
        let detour = format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", link.address().port());
        self.link = Some(link);
        self.detour = Some(detour.clone());
        Ok(vec![detour])
    }

    /// The folder of a unit's node.
    pub(super) fn home(&self, unit: &str) -> PathBuf {
        self.place.path().join(unit)
    }

    /// Each unit's folder.
    pub(super) fn homes(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        UNITS.into_iter().map(|unit| (unit, self.home(unit)))
    }

    /// Where everything was left, if it is to stay.
    pub(super) fn kept(&self) -> Option<&Path> {
        match &self.place {
            Place::Kept(folder) => Some(folder),
            Place::Temporary(_) => None,
        }
    }

    /// A node's service.
    pub(super) fn service(&self, unit: &str) -> &Service {
        self.nodes[unit].service()
    }

    /// Asks a node.
    pub(super) fn call<C: Call>(&self, unit: &str, call: C) -> Result<C::Answer, ServiceError>
    where
        Service: Handle<C>,
    {
        self.service(unit).handle(call, &mut |_| {})
    }

    /// Makes an operator of a unit, and unlocks the key in its node.
    pub(super) fn operator(
        &self,
        unit: &str,
        handle: &str,
        label: &str,
        roles: &[Role],
    ) -> Result<view::Operator, ServiceError> {
        let operator = self.call(
            unit,
            OperatorAdd {
                handle: handle.into(),
                label: label.into(),
                roles: roles.to_vec(),
                valid_days: 365,
                passphrase: Passphrase(PASSPHRASE.into()),
                authority_passphrase: None,
            },
        )?;
        self.service(unit)
            .unlock(handle, &Passphrase(PASSPHRASE.into()))?;
        Ok(operator)
    }

    /// Records an event of a case at a unit.
    pub(super) fn record(
        &self,
        unit: &str,
        operator: &str,
        case: Option<&str>,
        event: Value,
        seal: Vec<Seal>,
    ) -> Result<view::Recorded, ServiceError> {
        let Value::Object(event) = event else {
            return Err(fault("an event is a map".into()));
        };
        self.call(
            unit,
            Record {
                kind: "case".into(),
                document: case.map(str::to_owned),
                unit: None,
                event,
                record: Map::new(),
                seal,
                sign: sign(operator),
            },
        )
    }

    /// A case as a unit has it.
    pub(super) fn case(&self, unit: &str, case: &str) -> Result<view::DocumentDetail, ServiceError> {
        self.call(
            unit,
            Show {
                kind: "case".into(),
                document: case.into(),
            },
        )
    }

    /// The village's link goes down.
    pub(super) fn cut(&self) {
        if let Some(link) = &self.link {
            link.cut();
        }
    }

    /// The link comes back, and the village dials at once.
    pub(super) fn restore(&self) -> Result<(), ServiceError> {
        if let Some(link) = &self.link {
            link.restore();
        }
        if let Some(detour) = &self.detour {
            self.call(
                VILLAGE,
                PeerAdd {
                    address: detour.clone(),
                },
            )?;
        }
        Ok(())
    }

    /// Is the village connected to its town?
    pub(super) fn village_is_connected(&self) -> Result<bool, ServiceError> {
        Ok(self
            .call(VILLAGE, Status { scope: None })?
            .peers
            .iter()
            .any(|peer| peer.connected))
    }

    /// The digest of what all four share, as each has it.
    pub(super) fn digests(&self) -> Result<BTreeMap<String, String>, ServiceError> {
        let village: UnitCode = VILLAGE.parse().map_err(|_| fault("no unit".into()))?;
        let scope = anjuan_sync::Scope::of(village.path());
        UNITS
            .into_iter()
            .map(|unit| Ok((unit.to_owned(), self.service(unit).digest_of(&scope)?)))
            .collect()
    }

    /// Waits until all four have the same.
    pub(super) fn level(&self) -> Result<bool, ServiceError> {
        self.wait(|family| {
            let digests = family.digests()?;
            Ok(digests
                .values()
                .all(|digest| Some(digest) == digests.values().next()))
        })
    }

    /// Waits until something holds; false if it did not within reason.
    pub(super) fn wait(
        &self,
        holds: impl Fn(&Self) -> Result<bool, ServiceError>,
    ) -> Result<bool, ServiceError> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if holds(self)? {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }

    /// Stops every node.
    pub(super) fn stop(self, runtime: &Runtime) {
        for (_, node) in self.nodes {
            runtime.block_on(node.stop());
        }
    }
}

/// Who signs, with the key that the node holds unlocked.
pub(super) fn sign(operator: &str) -> SignAs {
    SignAs {
        operator: Some(operator.into()),
        passphrase: None,
    }
}

/// The socket and the peer id of `/ip4/127.0.0.1/tcp/PORT/p2p/PEER`.
fn split(address: &str) -> Result<(SocketAddr, String), ServiceError> {
    let parts: Vec<_> = address.split('/').collect();
    match parts.as_slice() {
        ["", "ip4", host, "tcp", port, "p2p", peer] => {
            let socket = format!("{host}:{port}").parse();
            Ok((
                socket.map_err(|_| fault(format!("not an address: {address}")))?,
                (*peer).to_owned(),
            ))
        }
        _ => Err(fault(format!("not an address over TCP: {address}"))),
    }
}
