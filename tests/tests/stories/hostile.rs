//! A served node under attack, of strangers first, then of a village whose keys were stolen: each attack is
//! turned away or kept as evidence, by name, and the honest village goes on.

mod certified;
mod raw;

use std::net::TcpStream;
use std::time::Duration;

use anjuan_sync::replica::Record;
use anjuan_sync::session::message::{Hello, Message, PROTOCOL_VERSION};
use anjuan_sync::transport::PeerAddr;
use anjuan_sync::{NetworkId, SignedHeader, SignedUpdate, Space};
use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{CHAIR, Family, MEDIATOR, TOWN, VILLAGE, parties};
use anjuan_tests::world::{Writer, accepted, message, registered, sign};
use ed25519_dalek::{Signer as _, SigningKey};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use serde_json::Value;
use tokio::runtime::Runtime;

use self::certified::{CertifiedNode, Hostile};

/// Bytes that mean nothing; storing does not look at them.
const PAYLOAD: &[u8] = b"payload";

/// The town under attack, and the honest village at work.
struct Scene {
    family: Family,
    runtime: Runtime,
    case: String,
    rounds: usize,
}

impl Scene {
    fn new(name: &str) -> Self {
        let family = Family::running(name);
        let sealed = family.folder().join("parties.json");
        parties(&sealed, ["黄甲", "李乙"]);
        let case = family.anjuan(VILLAGE).register(MEDIATOR, &sealed, "边界之争");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut scene = Self {
            family,
            runtime,
            case,
            rounds: 0,
        };
        scene.goes_on();
        scene
    }

    fn town(&self) -> PeerAddr {
        let node = self.family.at(TOWN).node();
        let address = node.multiaddress(node.address());
        address.parse().expect("the address of a node")
    }

    /// The honest village records, and the town has it.
    fn goes_on(&mut self) {
        self.rounds += 1;
        let text = format!("第{}次", self.rounds);
        let update = self.family.anjuan(VILLAGE).message(CHAIR, &self.case, &text);
        until("the town has what the village recorded", || {
            let counted = self.family.anjuan(TOWN).run(&["case", "history", &self.case]);
            if counted.stdout.contains(&update) {
                Ok(())
            } else {
                Err(counted.to_string())
            }
        });
    }

    /// The town tells its operator of this, in a line that has all of these.
    fn told(&self, words: &[&str]) {
        self.told_one(&[words]);
    }

    /// The same, in a line that has all of one of these.
    fn told_one(&self, either: &[&[&str]]) {
        let log = self.family.anjuan(TOWN).home().with_extension("log");
        until(&format!("the town tells of {either:?}"), || {
            let told = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
            let mut lines = told.lines();
            let has = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
            match lines.any(|line| either.iter().any(|words| has(line, words))) {
                true => Ok(()),
                false => {
                    let lines: Vec<_> = told.lines().rev().take(30).collect();
                    Err(lines.join("\n"))
                }
            }
        });
    }

    fn status(&self) -> Value {
        self.family.anjuan(TOWN).answer(&["status"])
    }

    /// A node says Hello; it gets no byte.
    fn turned_away(&self, node: &CertifiedNode, hello: Hello) {
        let town = self.town();
        let node = node.clone();
        let answer = self.runtime.block_on(async move {
            let (_endpoint, mut link) = node.dial(&town).await.expect("dialled");
            link.send(&Message::Hello(hello).encode()).await.expect("sent");
            link.recv().await
        });
        answer.expect_err("not a byte");
    }

    /// A certified node offers records until the town tells of this.
    fn offers(&self, node: CertifiedNode, records: Vec<Record>, words: &[&str]) {
        let peer = node.short();
        let offering = self.runtime.spawn(node.offer(self.town(), records));
        self.told(&[&[peer.as_str()], words].concat());
        offering.abort();
    }
}

fn stranger(seed: u8) -> CertifiedNode {
    CertifiedNode {
        key: SigningKey::from_bytes(&[seed; 32]),
        network: NetworkId::from_bytes([seed; 32]),
        chain: Vec::new(),
    }
}

#[test]
fn strangers_get_no_byte_and_are_in_nobodys_way() {
    let mut scene = Scene::new("strangers");
    let network = {
        let status = scene.status();
        let hex = status["network"].as_str().expect("a network").to_owned();
        let bytes = hex::decode(hex).expect("hexadecimal");
        NetworkId::from_bytes(bytes.try_into().expect("32 bytes"))
    };
    let before = scene.status()["store"]["updates"].clone();

    // No certificate.
    let nobody = CertifiedNode {
        network,
        ..stranger(1)
    };
    scene.turned_away(&nobody, nobody.hello());
    scene.told(&[&nobody.short(), "session refused", "certificate is not accepted"]);
    scene.goes_on();

    // Of another network, as it says, and as its certificate shows.
    let foreign = stranger(2);
    scene.turned_away(&foreign, foreign.hello());
    scene.told(&[&foreign.short(), "session refused", "another network"]);
    let posing = CertifiedNode {
        network,
        chain: vec![anjuan_tests::world::root().signed().encode()],
        ..stranger(3)
    };
    scene.turned_away(&posing, posing.hello());
    scene.told(&[&posing.short(), "session refused", "the peer is of network"]);
    let newer = Hello {
        version: PROTOCOL_VERSION + 1,
        ..stranger(4).hello()
    };
    scene.turned_away(&stranger(4), newer);
    scene.told(&[&stranger(4).short(), "session refused", "protocol"]);
    scene.goes_on();

    // A frame longer than any first one.
    let long = stranger(5);
    let town = scene.town();
    let answer = scene.runtime.block_on(async {
        let (_endpoint, mut link) = long.dial(&town).await.expect("dialled");
        let _ = link.send(&vec![0; 1 << 20]).await;
        link.recv().await
    });
    answer.expect_err("not a byte");
    scene.told(&[&long.short(), "link ended", "1048576"]);
    scene.goes_on();

    // A frame that ends in its middle, then silence; the village goes on meanwhile.
    let mut stream = scene.runtime.block_on(raw::sync_stream(&town)).expect("a stream");
    scene.runtime.block_on(async {
        stream.write_all(&[0, 0, 0, 100, 1, 2, 3]).await.expect("written");
        stream.flush().await.expect("written");
    });
    scene.goes_on();
    let mut answer = Vec::new();
    let _ = scene.runtime.block_on(stream.read_to_end(&mut answer));
    assert_eq!(answer, Vec::<u8>::new(), "not a byte");
    // The link's time for a first frame and the session's for a Hello end together.
    scene.told_one(&[
        &["link ended", "7 bytes"],
        &["link ended", "did not introduce itself in time"],
    ]);

    // Many at once that begin and never finish: sockets, and requests in drips.
    let address = scene.family.at(TOWN).node().address();
    let sockets: Vec<_> = (0..60).map_while(|_| TcpStream::connect(address).ok()).collect();
    let dripping: Vec<_> = (0..12)
        .map(|_| {
            let town = town.clone();
            scene.runtime.spawn(async move {
                let mut stream = raw::sync_stream(&town).await?;
                let mut drip = [0, 0, 64, 0].as_slice();
                while stream.write_all(drip).await.is_ok() && stream.flush().await.is_ok() {
                    drip = &[0];
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    scene.told(&["connection not let in"]);
    scene.goes_on();
    scene.goes_on();
    // All of them are cut off in the end.
    for task in dripping {
        let _ = scene.runtime.block_on(task).expect("no panic");
    }
    drop(sockets);
    scene.goes_on();

    let after = scene.status();
    assert_eq!(after["store"]["forks"], 0, "{after}");
    let recorded = after["store"]["updates"].as_u64().expect("a number");
    assert_eq!(
        recorded,
        before.as_u64().expect("a number") + scene.rounds as u64 - 1,
        "nothing but what the village recorded"
    );
    scene.family.anjuan(TOWN).verify();
}

#[test]
fn what_a_village_in_hostile_hands_sends_is_refused_or_kept_as_evidence() {
    let mut scene = Scene::new("stolen");
    let mut hostile = Hostile::join(&scene.family);
    let update = |update: &SignedUpdate| Record::Update(update.clone());

    // An honest beginning: a case of its own.
    let mut writer = hostile.writer(1);
    let (key, mut view, first) = writer.create(&registered(1));
    let case = key.id.to_string();
    let node = hostile.node();
    let offering = scene
        .runtime
        .spawn(node.offer(scene.town(), vec![update(&first)]));
    until("the town has the second village's case", || {
        let shown = scene.family.anjuan(TOWN).run(&["case", "show", &case]);
        if shown.status.success() {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    });
    offering.abort();
    scene.goes_on();

    // Outside the signer's role: a mediator accepts, as only a chair may. Stored, shown, without effect.
    let beyond = writer.change(&key, &mut view, &accepted());
    let offering = scene.runtime.spawn(
        hostile
            .node()
            .offer(scene.town(), vec![update(&first), update(&beyond)]),
    );
    until("what the mediator may not do is shown as void", || {
        let history = scene.family.anjuan(TOWN).answer(&["case", "history", &case]);
        match &history["entries"][1] {
            entry if entry["standing"] == "void" && entry["reason"]["en"].is_string() => Ok(()),
            _ => Err(history.to_string()),
        }
    });
    offering.abort();
    assert_eq!(
        scene.family.anjuan(TOWN).show(&case)["line"]["stage"],
        "registered"
    );
    scene.goes_on();

    // A replay changes nothing.
    let before = scene.status();
    let replayed = vec![update(&first), update(&beyond), update(&first)];
    scene.offers(hostile.node(), replayed, &["here already"]);
    assert_eq!(scene.status()["store"]["updates"], before["store"]["updates"]);
    assert_eq!(scene.status()["digest"], before["digest"]);
    scene.goes_on();

    // Under another's key, with a signature that is not the other's.
    let mut raw = writer.header(key.id, PAYLOAD);
    raw.author = anjuan_sync::AuthorKey::from_bytes(hostile.robbed_key.verifying_key().to_bytes());
    (raw.seq, raw.previous) = (1, None);
    let honest = sign(raw, PAYLOAD.to_vec(), &hostile.robbed_key);
    let signature = writer.key.sign(&honest.header().encode()).to_bytes();
    let header = SignedHeader::from_parts(&honest.header().encode(), signature).expect("a header");
    let forged = SignedUpdate::from_parts(header, PAYLOAD.to_vec()).expect("an update");
    scene.offers(
        hostile.node(),
        vec![update(&forged)],
        &["session refused", "forged"],
    );
    scene.goes_on();

    // Under another's certificate.
    let mut thief = hostile.writer(2);
    thief.certified = hostile.robbed.clone();
    let posing = thief.sign(key.id, PAYLOAD.to_vec());
    scene.offers(
        hostile.node(),
        vec![update(&posing)],
        &["refused what the peer sent", "key"],
    );
    scene.goes_on();

    // Outside the signer's unit: a key stolen in one village writes in another.
    let mut outside = Writer::new("", &hostile.robbed, 3, writer.space.clone());
    outside.key = hostile.robbed_key.clone();
    outside.at = writer.at;
    let elsewhere = outside.sign(key.id, PAYLOAD.to_vec());
    scene.offers(
        hostile.node(),
        vec![update(&elsewhere)],
        &["refused what the peer sent", "cannot write in"],
    );
    // And a space that is none of the peer's business.
    let village: anjuan_node::unit::UnitCode = VILLAGE.parse().expect("a unit code");
    outside.space = Space::up(village.path());
    outside.head = None;
    let meddling = outside.sign(key.id, PAYLOAD.to_vec());
    scene.offers(
        hostile.node(),
        vec![update(&meddling)],
        &["session refused", "outside the shared scope"],
    );
    scene.goes_on();
    let evidence = scene.status()["warnings"].to_string();
    assert!(evidence.contains("kept as evidence"), "{evidence}");

    // Two for one place: both are kept, and nothing of that log counts from there on.
    let mut twin = writer.clone();
    let mut other_view = view.clone();
    let one = writer.change(&key, &mut view, &message(1));
    let other = twin.change(&key, &mut other_view, &message(2));
    let fork = [&first, &beyond, &one, &other].map(update).to_vec();
    let offering = scene.runtime.spawn(hostile.node().offer(scene.town(), fork));
    until("the fork is shown", || {
        let status = scene.status();
        let warned = status["warnings"].to_string().contains("forked");
        if status["store"]["forks"] == 1 && warned {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    offering.abort();
    scene.goes_on();

    let verification = scene.family.anjuan(TOWN).verify();
    assert!(
        verification["not_counting"]["void"].as_u64() >= Some(1)
            && verification["not_counting"]["forked"].as_u64() >= Some(1),
        "{verification}"
    );
    scene.family.level(&[TOWN, VILLAGE]);
}
