//! Four nodes on real connections: the village is killed while it records, loses its link, goes on without
//! it, and comes back; the same while the town is down and the village reaches the county by itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anjuan_cli::backend::Client;
use anjuan_node::api::Endpoint;
use anjuan_node::service::call::{Record, SignAs};
use anjuan_node::service::{ErrorKind, Handle as _, ServiceError};
use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{
    Anjuan, CASE, CHAIR, CITY, CLERK, COUNTY, Family, MEDIATOR, Ran, TOWN, VILLAGE, parties,
};
use serde_json::json;

const ALL: [&str; 4] = [CITY, COUNTY, TOWN, VILLAGE];

/// What the village acknowledged: updates by the case they are in.
type Acknowledged = BTreeMap<String, Vec<String>>;

#[test]
fn a_village_killed_while_it_records_loses_nothing_it_acknowledged() {
    let mut family = Family::running("killed");
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let cases: Vec<String> = ["边界之争", "排水之争"]
        .iter()
        .map(|brief| family.anjuan(VILLAGE).register(MEDIATOR, &sealed, brief))
        .collect();
    family.level(&ALL);

    // Four write at once; two are killed with a connection open, two between processes of their own.
    let home = family.anjuan(VILLAGE).clone();
    let count = AtomicUsize::new(0);
    let acknowledged = thread::scope(|scope| {
        let writers = [
            scope.spawn(|| messages_by_processes(&home, CHAIR, &cases[0], &count)),
            scope.spawn(|| cases_by_processes(&home, MEDIATOR, &sealed, &count)),
            scope.spawn(|| messages_by_calls(&home, CHAIR, &cases[1], &count)),
            scope.spawn(|| messages_by_calls(&home, MEDIATOR, &cases[1], &count)),
        ];
        until("the village has recorded a good deal", || {
            match count.load(Ordering::Relaxed) {
                recorded if recorded >= 60 => Ok(()),
                recorded => Err(format!("{recorded} acknowledged")),
            }
        });
        family.kill9(VILLAGE);
        let mut all = Acknowledged::new();
        for writer in writers {
            for (case, update) in writer.join().expect("a writer ends without a panic") {
                all.entry(case).or_default().push(update);
            }
        }
        all
    });
    let written = acknowledged.values().map(Vec::len).sum::<usize>();
    assert!(written >= 60, "{written}");

    family.start(VILLAGE);
    assert_present(family.anjuan(VILLAGE), &acknowledged);

    family.at(VILLAGE).uplink().cut();
    let village = family.anjuan(VILLAGE);
    let offline = village.register(MEDIATOR, &sealed, "断网时登记");
    let accepted = village.answer(&[
        "case",
        "accept",
        &offline,
        "--as",
        CHAIR,
        "--consent",
        "--rights-notice",
        "--no-exclusion",
    ]);
    assert_eq!(accepted["stage"], "accepted", "{accepted}");
    let below = village.message(CHAIR, &cases[0], "村里:断网");
    let above = family.anjuan(TOWN).message(CLERK, &cases[0], "镇里:收到");
    family.level(&[CITY, COUNTY, TOWN]);
    until("the village has dialled in vain", || {
        match family.at(VILLAGE).uplink().refused() {
            0 => Err("no dial".to_owned()),
            _ => Ok(()),
        }
    });
    // Each side has its own part, and has it without the other.
    assert_eq!(
        family.anjuan(TOWN).refusal(&["case", "show", &offline]).kind,
        "not-found"
    );
    assert!(!family.anjuan(TOWN).counted(&cases[0]).contains(&below));
    assert!(!village.counted(&cases[0]).contains(&above));

    family.at(VILLAGE).uplink().restore();
    family.level(&ALL);
    for unit in ALL {
        let anjuan = family.anjuan(unit);
        assert_present(anjuan, &acknowledged);
        let counted = anjuan.counted(&cases[0]);
        assert!(counted.contains(&above) && counted.contains(&below), "at {unit}");
        assert_eq!(anjuan.show(&offline)["line"]["stage"], "accepted", "at {unit}");
    }
    family.verify();
}

#[test]
fn with_the_town_down_the_village_is_level_with_the_county_directly() {
    let mut family = Family::running("town-down");
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);
    let case = family.anjuan(VILLAGE).register(MEDIATOR, &sealed, "边界之争");
    family.level(&ALL);
    family.stop(TOWN);

    let by_village = family.anjuan(VILLAGE).message(CHAIR, &case, "镇上节点停了");
    let by_county = family.anjuan(COUNTY).message(CLERK, &case, "县里知道了");
    let county = family.at(COUNTY).node();
    let direct = county.multiaddress(county.address());
    family.anjuan(VILLAGE).answer(&["peer", "add", &direct]);
    family.level(&[CITY, COUNTY, VILLAGE]);
    for unit in [CITY, COUNTY, VILLAGE] {
        let counted = family.anjuan(unit).counted(&case);
        assert!(
            counted.contains(&by_village) && counted.contains(&by_county),
            "at {unit}"
        );
    }

    family.start(TOWN);
    family.level(&ALL);
    assert_present(
        family.anjuan(TOWN),
        &BTreeMap::from([(case, vec![by_village, by_county])]),
    );
    family.verify();
}

/// Everything acknowledged counts in the history of its case.
#[track_caller]
fn assert_present(anjuan: &Anjuan, acknowledged: &Acknowledged) {
    for (case, updates) in acknowledged {
        let counted = anjuan.counted(case);
        let missing: Vec<_> = updates
            .iter()
            .filter(|update| !counted.contains(update))
            .collect();
        assert!(
            missing.is_empty(),
            "{} lacks of {case}: {missing:?}",
            anjuan.home().display()
        );
    }
}

/// What came of one attempt to record: the case and the update, or nothing because the node is gone.
fn acknowledged(ran: &Ran) -> Option<(String, String)> {
    match ran.answer() {
        Ok(recorded) => {
            let text = |field: &str| recorded[field].as_str().map(str::to_owned);
            text("document").zip(text("update"))
        }
        Err(_) => {
            let refusal = ran
                .refusal()
                .unwrap_or_else(|| panic!("no error as errors are: {ran}"));
            // Without a passphrase, and with one another, they can't get further with a node that is gone.
            let expected = ["network", "locked", "busy"].contains(&refusal.kind.as_str());
            assert!(expected, "{ran}");
            None
        }
    }
}

fn messages_by_processes(
    home: &Anjuan,
    operator: &str,
    case: &str,
    count: &AtomicUsize,
) -> Vec<(String, String)> {
    let mut done = Vec::new();
    loop {
        let text = format!("第{}条", done.len());
        let ran = home.run(&["case", "message", case, "--as", operator, "--text", &text]);
        let Some(recorded) = acknowledged(&ran) else {
            return done;
        };
        done.push(recorded);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn cases_by_processes(
    home: &Anjuan,
    operator: &str,
    parties: &Path,
    count: &AtomicUsize,
) -> Vec<(String, String)> {
    let mut done = Vec::new();
    loop {
        let brief = format!("第{}起", done.len());
        let ran = home.run(&[
            "case",
            "register",
            "--as",
            operator,
            "--source",
            "proactive",
            "--category",
            "land",
            "--brief",
            &brief,
            "--facts",
            "林地界线",
            "--party",
            parties.to_str().expect("a path in UTF-8"),
        ]);
        let Some(recorded) = acknowledged(&ran) else {
            return done;
        };
        done.push(recorded);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn messages_by_calls(
    home: &Anjuan,
    operator: &str,
    case: &str,
    count: &AtomicUsize,
) -> Vec<(String, String)> {
    let endpoint = Endpoint::read(home.home())
        .expect("a good endpoint")
        .expect("a running node");
    let client = Client::connect(endpoint).expect("a node that knows its token");
    let mut done = Vec::new();
    loop {
        let event = json!({"type": "MessageSent", "text": format!("{operator} {}", done.len())});
        let call = Record {
            kind: CASE.to_owned(),
            document: Some(case.to_owned()),
            unit: None,
            event: event.as_object().cloned().unwrap_or_default(),
            record: serde_json::Map::new(),
            seal: Vec::new(),
            sign: SignAs {
                operator: Some(operator.to_owned()),
                passphrase: None,
            },
        };
        match client.handle(call, &mut |_| {}) {
            Ok(recorded) => done.push((recorded.document, recorded.update)),
            Err(ServiceError {
                kind: ErrorKind::Network,
                ..
            }) => return done,
            Err(error) => panic!("{error:?}"),
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
}
