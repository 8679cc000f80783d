//! Founding a network, inviting and joining.

use std::collections::BTreeSet;
use std::path::Path;

use anjuan_sync::Timestamp;
use rand::rng;

use super::call::{Handle, Invite, Passphrase, Progress, SignRequest};
use super::setup::{Founded, Init, Join, Joined, Request, Requested};
use super::signing::AUTHORITY;
use super::{ErrorKind, Options, Service, ServiceError, instant, unit_view, view, words};
use crate::authority::certificate::{CertificateKind, Certified, Issue};
use crate::config::Config;
use crate::enrol::{JoinForm, JoinGrant, JoinRequest, Joining, Redeemed, Terms, Ticket, Trust, grant};
use crate::home::{Home, is_home};
use crate::keys::{KeyKind, KeyName, KeyStore, NewPassphrase, NodeKey, Unlocked};
use crate::ledger::Checked;
use crate::network;
use crate::text;
use crate::text::Text;
use crate::unit::UnitCode;
use crate::unit::divisions::Divisions;

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;
/// Validity of a root certificate: as long as an archive of cases is kept.
const ROOT_YEARS: i64 = 30;
/// Validity of a unit's certificates.
const UNIT_YEARS: i64 = 10;

fn authority_name() -> KeyName {
    AUTHORITY.parse().expect("a key name")
}

fn later(now: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(now.as_millis() + millis).min(Timestamp::LATEST)
}

fn chosen(passphrase: &Passphrase) -> Result<NewPassphrase, ServiceError> {
    NewPassphrase::chosen(passphrase.0.clone()).map_err(|error| {
        ServiceError::new(
            ErrorKind::Usage,
            Text::new("口令至少 8 个字符,至多 1024 字节", error.to_string()),
        )
    })
}

fn no_home_yet(folder: &Path) -> Result<(), ServiceError> {
    if is_home(folder) {
        return Err(crate::home::HomeError::Exists(folder.to_owned()).into());
    }
    Ok(())
}

fn peer_id(key: anjuan_sync::AuthorKey) -> String {
    anjuan_sync::transport::key_peer(anjuan_sync::NodeKey::from_bytes(*key.as_bytes()))
        .map(|peer| peer.to_string())
        .unwrap_or_default()
}

/// Founds a network in `folder`: a root authority, and a node of its unit.
pub fn init(folder: &Path, init: &Init, options: Options) -> Result<Founded, ServiceError> {
    no_home_yet(folder)?;
    Divisions::official().require(&init.unit)?;
    let passphrase = chosen(&init.passphrase)?;
    let now = (options.clock)();
    let label = match &init.name {
        Some(name) => name.clone(),
        None => unit_view(&init.unit).name,
    };
    // Prepared beside the home, so that what breaks off leaves no half of one.
    let keys = KeyStore::new(folder.join("keys"), options.kdf);
    let authority = match keys.create_sealed(KeyKind::Authority, &authority_name(), &passphrase, &mut rng()) {
        Ok(authority) => authority,
        // Left by an attempt that broke off: the same passphrase goes on with it.
        Err(crate::keys::KeysError::Exists(_)) => {
            keys.unlock(KeyKind::Authority, &authority_name(), passphrase.get())?
        }
        Err(error) => return Err(error.into()),
    };
    let node = node_key(&keys)?;
    let not_before = later(now, -24 * HOUR);
    let root = Certified::found(
        authority.signing_key(),
        &init.unit,
        label.clone(),
        not_before,
        later(now, ROOT_YEARS * YEAR),
    )
    .map_err(|error| ServiceError::new(ErrorKind::Usage, Text::same(error.to_string())))?;
    let root = std::sync::Arc::new(root);
    let issue = Issue {
        kind: CertificateKind::Node,
        subject: node.public(),
        seal_key: Some(node.seal_public()),
        unit: init.unit.clone(),
        organisation: None,
        roles: BTreeSet::new(),
        label,
        serial: 1,
        not_before,
        not_after: later(now, UNIT_YEARS * YEAR),
    };
    let certified = root
        .issue(authority.signing_key(), issue)
        .map_err(|error| ServiceError::new(ErrorKind::Internal, words::issue(&error)))?;
    drop(Home::create(folder, Config::new(init.unit.clone()), Some(&root))?);
    let service = Service::open(folder, options, &mut |_| {})?;
    let (_, durable) = service
        .ledger()
        .take(Checked::credentials([certified.signed().encode()]))?;
    durable.wait()?;
    Ok(Founded {
        home: folder.display().to_string(),
        network: root.network().to_string(),
        unit: unit_view(&init.unit),
        peer_id: peer_id(node.public()),
        root_certificate: folder.join("root.cert").display().to_string(),
    })
}

fn node_key(keys: &KeyStore) -> Result<NodeKey, ServiceError> {
    match keys.node() {
        Ok(key) => Ok(key),
        Err(crate::keys::KeysError::NoNodeKey(_)) => Ok(keys.create_node(&mut rng())?),
        Err(error) => Err(error.into()),
    }
}

/// The keys of a home that is to join: made, or those of an attempt that broke off.
fn joiner_keys(
    folder: &Path,
    joining: Joining,
    passphrase: Option<&Passphrase>,
    options: Options,
) -> Result<(NodeKey, Option<Unlocked>), ServiceError> {
    let keys = KeyStore::new(folder.join("keys"), options.kdf);
    let authority = if joining != Joining::NewUnit {
        None
    } else {
        let passphrase = passphrase.ok_or_else(|| {
            ServiceError::new(
                ErrorKind::Locked,
                Text::new(
                    "新单位要有自己的签发密钥,请为它选一个口令",
                    "a new unit has an authority key of its own; choose a passphrase for it",
                ),
            )
        })?;
        let passphrase = chosen(passphrase)?;
        Some(
            match keys.create_sealed(KeyKind::Authority, &authority_name(), &passphrase, &mut rng()) {
                Ok(authority) => authority,
                Err(crate::keys::KeysError::Exists(_)) => {
                    keys.unlock(KeyKind::Authority, &authority_name(), passphrase.get())?
                }
                Err(error) => return Err(error.into()),
            },
        )
    };
    Ok((node_key(&keys)?, authority))
}

/// Joins by a ticket, over the network.
pub fn join(folder: &Path, join: &Join, options: Options) -> Result<Joined, ServiceError> {
    no_home_yet(folder)?;
    let ticket: Ticket = join.ticket.parse()?;
    let now = (options.clock)();
    if ticket.expires() <= now {
        return Err(ServiceError::new(
            ErrorKind::Refused,
            Text::new("邀请码已过期", "the ticket has expired"),
        )
        .with_hint(Text::new(
            "请上级重新运行 anjuan invite;若没有过期,请检查本机时钟",
            "ask the parent to run `anjuan invite` again; if it should still be good, check this machine's clock",
        )));
    }
    let (node, authority) = joiner_keys(folder, ticket.joining(), join.passphrase.as_ref(), options)?;
    let form = JoinForm {
        unit: ticket.unit().clone(),
        label: unit_label(ticket.unit()),
        node: &node,
        authority: authority.as_ref(),
        ticket: Some(&ticket),
        auditor: ticket.joining() == Joining::Auditor,
    };
    let request = JoinRequest::sign(&form)
        .map_err(|error| ServiceError::new(ErrorKind::Usage, Text::same(error.to_string())))?;
    let parent = network::parent_address(ticket.peer(), ticket.addresses())?;
    let answer = network::ask_to_join(&node, &parent, &request.encode())?;
    let grant = network::read_answer(&answer)?;
    let joined = finish_join(
        folder,
        &request,
        &grant,
        Trust::Network(ticket.network()),
        Some(parent.to_string()),
    )?;
    Ok(joined)
}

fn unit_label(unit: &UnitCode) -> String {
    let name = unit_view(unit).name;
    if name.is_empty() { unit.to_string() } else { name }
}

/// Makes the keys and the request that a parent signs from a file. Repeatable: the same keys are used.
pub fn request(folder: &Path, ask: &Request, options: Options) -> Result<Requested, ServiceError> {
    no_home_yet(folder)?;
    Divisions::official().require(&ask.unit)?;
    let (node, authority) = joiner_keys(folder, ask.joining, ask.passphrase.as_ref(), options)?;
    let form = JoinForm {
        unit: ask.unit.clone(),
        label: unit_label(&ask.unit),
        node: &node,
        authority: authority.as_ref(),
        ticket: None,
        auditor: ask.joining == Joining::Auditor,
    };
    let request = JoinRequest::sign(&form)
        .map_err(|error| ServiceError::new(ErrorKind::Usage, Text::same(error.to_string())))?;
    std::fs::write(folder.join("join-request"), request.encode()).map_err(|error| {
        ServiceError::new(
            ErrorKind::Storage,
            Text::same(format!("{}: {error}", folder.display())),
        )
    })?;
    Ok(Requested {
        unit: unit_view(&ask.unit),
        standby: ask.joining == Joining::Standby,
        auditor: ask.joining == Joining::Auditor,
        fingerprint: request.fingerprint().to_string(),
        request: hex::encode(request.encode()),
    })
}

/// Takes in what the parent signed.
pub fn grant_from_file(folder: &Path, bytes: &[u8]) -> Result<Joined, ServiceError> {
    no_home_yet(folder)?;
    let request = std::fs::read(folder.join("join-request")).map_err(|_| {
        let home = folder.display();
        ServiceError::new(
            ErrorKind::NotFound,
            text!("{home} 没有提出过加入申请", "{home} has not asked to join"),
        )
        .with_hint(Text::new(
            "先运行 anjuan join --request",
            "run `anjuan join --request` first",
        ))
    })?;
    let request = JoinRequest::decode(&request)
        .map_err(|error| ServiceError::new(ErrorKind::Damaged, Text::same(error.to_string())))?;
    finish_join(folder, &request, &JoinGrant::decode(bytes)?, Trust::Bearer, None)
}

fn finish_join(
    folder: &Path,
    request: &JoinRequest,
    grant: &JoinGrant,
    trust: Trust,
    parent: Option<String>,
) -> Result<Joined, ServiceError> {
    let joined = grant.accept(request, trust)?;
    let mut config = Config::new(request.unit().clone());
    config.peers.extend(parent.clone());
    let root = joined.credentials.root();
    // The chain first: a folder becomes a home with its settings, and then has to have everything.
    std::fs::write(folder.join("chain"), grant.encode()).map_err(|error| {
        ServiceError::new(
            ErrorKind::Storage,
            Text::same(format!("{}: {error}", folder.display())),
        )
    })?;
    let home = Home::create(folder, config, Some(root))?;
    home.remove("join-request")?;
    Ok(Joined {
        home: folder.display().to_string(),
        network: root.network().to_string(),
        unit: unit_view(request.unit()),
        standby: request.joining() == Joining::Standby,
        auditor: request.joining() == Joining::Auditor,
        peer_id: peer_id(request.node()),
        parent,
    })
}

impl Handle<Invite> for Service {
    fn handle(&self, call: Invite, _: &mut dyn FnMut(Progress)) -> Result<view::Invitation, ServiceError> {
        Divisions::official().require(&call.unit)?;
        if !(1..=720).contains(&call.valid_hours) {
            return Err(ServiceError::new(
                ErrorKind::Usage,
                Text::new(
                    "有效小时数应在 1 至 720 之间",
                    "hours of validity must be within 1 and 720",
                ),
            ));
        }
        let (own, unit) = (self.0.unit.path(), call.unit.path());
        let joining = match (call.standby, call.auditor) {
            (false, false) => Joining::NewUnit,
            (true, false) => Joining::Standby,
            (false, true) => Joining::Auditor,
            (true, true) => {
                return Err(ServiceError::new(
                    ErrorKind::Usage,
                    Text::new(
                        "备用节点和审计员节点只能选一种",
                        "a second node of the unit or an auditor's: one of them",
                    ),
                ));
            }
        };
        let fits = own.is_at_or_above(&unit) && (joining != Joining::NewUnit || own != unit);
        if !fits {
            let (ours, theirs) = (&self.0.unit, &call.unit);
            return Err(ServiceError::new(
                ErrorKind::Forbidden,
                text!(
                    "{theirs} 不在 {ours} 之下,不能由此邀请",
                    "{theirs} is not below {ours}, and cannot be invited from here"
                ),
            )
            .with_hint(Text::new(
                "第二个节点用 --standby,审计员的节点用 --auditor;其他单位请由其上级邀请",
                "for a second node of this unit use --standby, for an auditor's --auditor; other units are invited by the unit above them",
            )));
        }
        // The running node signs when the ticket is used, so it has to hold the key by then.
        if let Some(passphrase) = &call.passphrase {
            self.open_session(AUTHORITY, passphrase, call.valid_hours.min(24))?;
        } else {
            self.authority(None)?;
        }
        let network = self.network().ok_or_else(|| {
            ServiceError::new(
                ErrorKind::Network,
                Text::new("节点没有运行,新节点无法连接", "the node does not run, so that nobody could reach it"),
            )
            .with_hint(Text::new(
                "先运行 anjuan serve;没有网络时用 anjuan join --request 与 anjuan invite --sign",
                "start it with `anjuan serve`; where there is no network use `anjuan join --request` and `anjuan invite --sign`",
            ))
        })?;
        let now = self.now();
        let expires = later(now, i64::from(call.valid_hours) * HOUR);
        let ticket = Ticket::issue(
            self.ledger().network(),
            call.unit.clone(),
            joining,
            network.invitation_addresses(),
            self.0.node.public(),
            expires,
            &mut rng(),
        )?;
        let mut book = self.tickets();
        let mut next = book.clone();
        next.open(&ticket, now)?;
        self.home().save_tickets(&next)?;
        *book = next;
        Ok(view::Invitation {
            ticket: ticket.to_text().to_string(),
            unit: unit_view(&call.unit),
            auditor: call.auditor,
            expires: instant(expires),
        })
    }
}

impl Handle<SignRequest> for Service {
    fn handle(
        &self,
        call: SignRequest,
        _: &mut dyn FnMut(Progress),
    ) -> Result<view::SignedRequest, ServiceError> {
        let malformed = |message: String| ServiceError::new(ErrorKind::Usage, Text::same(message));
        let bytes = hex::decode(&call.request).map_err(|error| malformed(error.to_string()))?;
        let request = JoinRequest::decode(&bytes).map_err(|error| malformed(error.to_string()))?;
        let mut answer = view::SignedRequest {
            unit: unit_view(request.unit()),
            standby: request.joining() == Joining::Standby,
            auditor: request.joining() == Joining::Auditor,
            fingerprint: request.fingerprint().to_string(),
            grant: None,
        };
        if call.dry_run {
            return Ok(answer);
        }
        let authority = self.authority(call.passphrase.as_ref())?;
        let approval = request
            .approve(request.fingerprint())
            .map_err(|error| malformed(error.to_string()))?;
        let grant = self.grant(&request, &approval, &authority)?.0;
        answer.grant = Some(hex::encode(grant.encode()));
        Ok(answer)
    }
}

impl Service {
    fn grant(
        &self,
        request: &JoinRequest,
        approval: &crate::enrol::Approval,
        authority: &Unlocked,
    ) -> Result<(JoinGrant, Vec<anjuan_sync::CertificateId>), ServiceError> {
        let now = self.now();
        let terms = Terms {
            now,
            not_after: later(now, UNIT_YEARS * YEAR),
        };
        let mut ledger = self.ledger();
        let (grant, issued) = grant(
            request,
            approval,
            authority,
            ledger.credentials(),
            Divisions::official(),
            terms,
        )?;
        let encoded: Vec<_> = issued
            .iter()
            .map(|certified| certified.signed().encode())
            .collect();
        let (_, durable) = ledger.take(Checked::credentials(encoded))?;
        drop(ledger);
        durable.wait()?;
        self.announce();
        Ok((grant, issued.iter().map(|certified| certified.id()).collect()))
    }

    /// Answers a request that came over the network with a ticket.
    pub(crate) fn redeem(&self, bytes: &[u8]) -> Result<JoinGrant, ServiceError> {
        let request = JoinRequest::decode(bytes)
            .map_err(|error| ServiceError::new(ErrorKind::Refused, Text::same(error.to_string())))?;
        // Held to the end: a ticket is used once.
        let mut book = self.tickets();
        let approval = match book.redeem(&request, self.now())? {
            Redeemed::Approved(approval) => approval,
            Redeemed::Again(granted) => {
                return JoinGrant::assemble(self.ledger().credentials(), &granted).ok_or_else(|| {
                    ServiceError::new(
                        ErrorKind::Internal,
                        Text::new(
                            "已签发的证书不在本节点",
                            "certificates granted before are not here",
                        ),
                    )
                });
            }
        };
        let authority = self.authority(None).map_err(|error| {
            error.with_hint(Text::new(
                "上级节点的签发密钥已上锁,请在那里运行 anjuan operator unlock authority",
                "the parent's authority key is locked; run `anjuan operator unlock authority` there",
            ))
        })?;
        let (grant, granted) = self.grant(&request, &approval, &authority)?;
        let mut next = book.clone();
        next.mark_used(&request, granted);
        self.home().save_tickets(&next)?;
        *book = next;
        Ok(grant)
    }
}
