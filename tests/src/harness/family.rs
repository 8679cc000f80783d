//! Four nodes in one line: a city, a county, a town and a village of Yulin.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use serde_json::Value;

use super::case::{CHAIR, MEDIATOR};
use super::command::{Anjuan, Ran};
use super::folder::{self, Folder};
use super::link::Link;
use super::node::Node;
use super::wait::until;

/// 玉林市
pub const CITY: &str = "4509";
/// 玉州区
pub const COUNTY: &str = "450902";
/// A street of it, which is on the level of a town.
pub const TOWN: &str = "450902001";
/// A community of that, on the level of a village.
pub const VILLAGE: &str = "450902001001";
/// Handle of the judicial clerk that all but the village have.
pub const CLERK: &str = "clerk";

/// An operator: handle, name on the certificate, roles.
type Operator = (&'static str, &'static str, &'static str);

/// From the top, each with its operators.
const UNITS: [(&str, &[Operator]); 4] = [
    (CITY, &[(CLERK, "韦城", "judicial-clerk,chair,router")]),
    (COUNTY, &[(CLERK, "覃县", "judicial-clerk,chair,router")]),
    (
        TOWN,
        &[(CLERK, "梁镇", "judicial-clerk"), (CHAIR, "陆镇", "chair,router")],
    ),
    (
        VILLAGE,
        &[(CHAIR, "陈村", "chair"), (MEDIATOR, "李村", "mediator")],
    ),
];

/// One of the four.
#[derive(Debug)]
pub struct Member {
    unit: &'static str,
    anjuan: Anjuan,
    unlock: Vec<&'static str>,
    /// The line to its parent.
    uplink: Option<Link>,
    node: Option<Node>,
}

impl Member {
    /// The program with its home; without a passphrase.
    pub fn anjuan(&self) -> &Anjuan {
        &self.anjuan
    }

    /// The running node.
    #[track_caller]
    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("a node that runs")
    }

    /// The line to its parent.
    #[track_caller]
    pub fn uplink(&self) -> &Link {
        self.uplink.as_ref().expect("a unit that has a parent")
    }
}

/// Four homes that have enrolled one below the other and are level, with nodes that do not run. Every
/// family begins as a copy: enrolment derives some twenty keys from passphrases, at a cost meant to be felt.
#[derive(Debug)]
struct Template(Folder);

static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());

/// Four nodes on this machine, each dialling its parent through a line that can be cut.
#[derive(Debug)]
pub struct Family {
    members: [Member; 4],
    folder: Folder,
    _template: Arc<Template>,
}

impl Family {
    /// Four homes in a new folder, of a network that all families of this process copy. Nothing runs yet.
    pub fn at_rest(name: &str) -> Self {
        let template = {
            let mut known = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
            known.upgrade().unwrap_or_else(|| {
                let new = Arc::new(Template(Folder::new("template")));
                enrol(&new.0);
                *known = Arc::downgrade(&new);
                new
            })
        };
        let folder = Folder::new(name);
        let members = UNITS.map(|(unit, operators)| {
            folder::copy(&template.0.join(unit), &folder.join(unit));
            // A home that finds itself copied opens a new epoch, once; a story finds it done.
            Anjuan::at(folder.join(unit)).answer(&["status"]);
            Member {
                unit,
                anjuan: Anjuan::at(folder.join(unit)),
                unlock: operators.iter().map(|(handle, ..)| *handle).collect(),
                uplink: None,
                node: None,
            }
        });
        Self {
            members,
            folder,
            _template: template,
        }
    }

    /// The same with all four running, linked and level, their operators' keys unlocked.
    pub fn running(name: &str) -> Self {
        let mut family = Self::at_rest(name);
        for (unit, _) in UNITS {
            family.start(unit);
        }
        family.level(&[CITY, COUNTY, TOWN, VILLAGE]);
        family
    }

    /// One of them.
    #[track_caller]
    pub fn at(&self, unit: &str) -> &Member {
        self.members
            .iter()
            .find(|member| member.unit == unit)
            .expect("a unit of the family")
    }

    /// The program with the home of one of them, without a passphrase.
    #[track_caller]
    pub fn anjuan(&self, unit: &str) -> &Anjuan {
        self.at(unit).anjuan()
    }

    /// Where the four homes are; room for a story's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a node that does not run. It dials its parent, if that one ever ran; its children's lines lead
    /// to where it listens now.
    pub fn start(&mut self, unit: &str) {
        let at = self.position(unit);
        if at > 0
            && self.members[at].uplink.is_none()
            && let Some(parent) = &self.members[at - 1].node
        {
            let link = Link::to(parent.address());
            let through = parent.multiaddress(link.address());
            let member = &mut self.members[at];
            // Takes the place of the address that the ticket told.
            member.anjuan.answer(&["peer", "add", &through]);
            member.uplink = Some(link);
        }
        let member = &mut self.members[at];
        assert!(member.node.is_none(), "{unit} runs already");
        let node = Node::start(&member.anjuan, &member.unlock);
        let address = node.address();
        member.node = Some(node);
        if let Some(Member {
            uplink: Some(link), ..
        }) = self.members.get(at + 1)
        {
            link.retarget(address);
        }
    }

    /// Ends a node as an operator does.
    pub fn stop(&mut self, unit: &str) {
        self.take(unit).stop();
    }

    /// Ends a node without any warning.
    pub fn kill9(&mut self, unit: &str) {
        self.take(unit).kill9();
    }

    /// Waits until these nodes hold the same of what all four share.
    pub fn level(&self, units: &[&str]) {
        let homes: Vec<_> = units.iter().map(|unit| self.anjuan(unit)).collect();
        level(&format!("{} are level", units.join(", ")), &homes);
    }

    /// Checks the whole store of every one of them.
    #[track_caller]
    pub fn verify(&self) {
        for member in &self.members {
            member.anjuan.verify();
        }
    }

    #[track_caller]
    fn position(&self, unit: &str) -> usize {
        self.members
            .iter()
            .position(|member| member.unit == unit)
            .expect("a unit of the family")
    }

    #[track_caller]
    fn take(&mut self, unit: &str) -> Node {
        let at = self.position(unit);
        self.members[at].node.take().expect("a node that runs")
    }
}

/// The digest over what a node of the village holds, which is what all four share.
fn shared_digest(anjuan: &Anjuan) -> Result<String, Ran> {
    let ran = anjuan.run(&["status", "--scope", VILLAGE]);
    let status = ran.answer().map_err(|_| ran.clone())?;
    match status["digest"].as_str() {
        Some(digest) => Ok(digest.to_owned()),
        None => Err(ran),
    }
}

/// What a node says of itself and its peers, for a story that fails.
fn told(anjuan: &Anjuan) -> String {
    let ran = anjuan.run(&["status", "--scope", VILLAGE]);
    let Ok(status) = ran.answer() else {
        return ran.to_string();
    };
    let peers = status["peers"].as_array().into_iter().flatten();
    let peers: Vec<String> = peers
        .map(|peer| {
            let unit = peer["unit"]["code"].as_str().unwrap_or("?");
            let (up, level, error): (&Value, &Value, &Value) =
                (&peer["connected"], &peer["level"], &peer["last_error"]);
            format!("{unit} connected {up} level {level} error {error}")
        })
        .collect();
    let [unit, digest, store, warnings] = ["/unit/code", "/digest", "/store", "/warnings"]
        .map(|field| status.pointer(field).unwrap_or(&Value::Null));
    format!(
        "{unit}: digest {digest}, store {store}, peers [{}], warnings {warnings}",
        peers.join("; ")
    )
}

/// Waits until these hold the same of what all four share.
fn level(what: &str, homes: &[&Anjuan]) {
    until(what, || {
        let mut digests = Vec::new();
        for home in homes {
            digests.push(shared_digest(home).map_err(|ran| ran.to_string())?);
        }
        if digests.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        Err(homes.iter().map(|home| told(home)).collect::<Vec<_>>().join("\n"))
    });
}

/// Founds the city and lets the others join, each by a ticket of the one above, over real connections.
fn enrol(folder: &Folder) {
    let homes = UNITS.map(|(unit, _)| Anjuan::at(folder.join(unit)));
    homes[0].unlocking().answer(&["init", "--unit", CITY]);
    let mut nodes = vec![Node::start(&homes[0], &["authority"])];
    for (at, (unit, _)) in UNITS.iter().enumerate().skip(1) {
        let invitation = homes[at - 1].answer(&["invite", "--unit", unit]);
        let ticket = invitation["ticket"].as_str().expect("a ticket");
        let joined = homes[at].unlocking().answer(&["join", ticket]);
        assert_eq!(joined["unit"]["code"], *unit, "{joined}");
        nodes.push(Node::start(&homes[at], &["authority"]));
    }
    thread::scope(|scope| {
        for (home, (_, operators)) in homes.iter().zip(UNITS) {
            scope.spawn(move || {
                for (handle, label, roles) in operators {
                    home.unlocking()
                        .answer(&["operator", "add", handle, "--label", label, "--role", roles]);
                }
            });
        }
    });
    let homes: Vec<_> = homes.iter().collect();
    level("the four have taken each other's certificates in", &homes);
    for node in nodes {
        node.stop();
    }
}
