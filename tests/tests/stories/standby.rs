//! Two nodes of one town: the second mirrors the first, takes its place for the village below and the county
//! above when it is gone, and the first is level again when it returns.

use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{
    Anjuan, CHAIR, CITY, CLERK, COUNTY, Family, Link, MEDIATOR, Node, TOWN, VILLAGE, parties,
};
use serde_json::Value;

fn digest(anjuan: &Anjuan, scope: &str) -> Result<String, String> {
    let ran = anjuan.run(&["status", "--scope", scope]);
    let status = ran.answer().map_err(|_| ran.to_string())?;
    Ok(status["digest"].to_string())
}

/// Waits until these hold the same of what a node of `scope` holds.
fn level(what: &str, scope: &str, homes: &[&Anjuan]) {
    until(what, || {
        let digests: Result<Vec<_>, _> = homes.iter().map(|home| digest(home, scope)).collect();
        let digests = digests?;
        let equal = digests.windows(2).all(|pair| pair[0] == pair[1]);
        if equal { Ok(()) } else { Err(digests.join("\n")) }
    });
}

/// Bytes that a node sent to and received from each peer that is linked, in the order of its configuration.
fn traffic(anjuan: &Anjuan) -> Vec<[u64; 2]> {
    let status = anjuan.answer(&["sync", "status"]);
    let peers = status["peers"].as_array().expect("peers").iter();
    let bytes = |peer: &Value, field: &str| peer[field].as_u64().expect("a number");
    peers
        .map(|peer| [bytes(peer, "sent_bytes"), bytes(peer, "received_bytes")])
        .collect()
}

#[test]
fn a_village_goes_on_through_its_towns_second_node() {
    let mut family = Family::running("standby");
    let sealed = family.folder().join("parties.json");
    parties(&sealed, ["黄甲", "李乙"]);

    // The second node joins by a ticket of the first.
    let town = family.anjuan(TOWN).clone();
    let second = Anjuan::at(family.folder().join("town-2"));
    let invitation = town.unlocking().answer(&["invite", "--unit", TOWN, "--standby"]);
    let ticket = invitation["ticket"].as_str().expect("a ticket");
    let joined = second.answer(&["join", ticket]);
    assert_eq!(
        (&joined["standby"], &joined["unit"]["code"]),
        (&true.into(), &TOWN.into())
    );
    let first = family.at(TOWN).node();
    let between = Link::to(first.address());
    second.answer(&["peer", "add", &first.multiaddress(between.address())]);
    let county = family.at(COUNTY).node();
    second.answer(&["peer", "add", &county.multiaddress(county.address())]);
    let standby = Node::start(&second, &[]);
    let village = family.anjuan(VILLAGE).clone();
    village.answer(&["peer", "add", &standby.multiaddress(standby.address())]);
    let kept = village.answer(&["peer", "list"]);
    assert_eq!(
        kept[0]["peer_id"],
        first.peer_id(),
        "parents in the order they were added"
    );
    assert_eq!(kept[1]["peer_id"], standby.peer_id());

    level("the second mirrors the first", TOWN, &[&town, &second]);
    level(
        "all of the line are level",
        VILLAGE,
        &[&village, &town, &second, family.anjuan(COUNTY)],
    );
    let case = village.register(MEDIATOR, &sealed, "边界之争");
    let everybody = |family: &Family| {
        let homes = [VILLAGE, TOWN, COUNTY, CITY].map(|unit| family.anjuan(unit));
        level("all five are level", VILLAGE, &[&homes[..], &[&second]].concat());
    };
    everybody(&family);
    assert_eq!(
        second.show(&case)["particulars"][0]["readable"],
        true,
        "what was sealed for the town is readable at both its nodes"
    );
    until("the village tells that both are level", || {
        let status = village.answer(&["sync", "status"]);
        let both = status["peers"].as_array().into_iter().flatten();
        let level = both.filter(|peer| peer["lacks"] == 0 && peer["behind"]["records"] == 0);
        if level.count() == 2 {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });

    // What it costs to be linked to both.
    let before = traffic(&village);
    const MESSAGES: u64 = 20;
    for number in 0..MESSAGES {
        village.message(CHAIR, &case, &format!("第{number}条"));
    }
    everybody(&family);
    for (parent, (after, before)) in traffic(&village).iter().zip(before).enumerate() {
        let [sent, received] = [after[0] - before[0], after[1] - before[1]].map(|bytes| bytes / MESSAGES);
        eprintln!("an update costs the village {sent} B out and {received} B in with parent {parent}");
    }

    family.kill9(TOWN);
    let by_village = village.message(CHAIR, &case, "镇上第一台机器坏了");
    let by_county = family.anjuan(COUNTY).message(CLERK, &case, "县里知道了");
    level(
        "the village is level with the county through the second",
        VILLAGE,
        &[&village, &second, family.anjuan(COUNTY), family.anjuan(CITY)],
    );
    for anjuan in [&village, &second, family.anjuan(COUNTY)] {
        let counted = anjuan.counted(&case);
        assert!(counted.contains(&by_village) && counted.contains(&by_county));
    }
    let synced = village.answer(&["sync", "now", "--peer", standby.peer_id(), "--wait", "60"]);
    assert_eq!(synced["level"], true, "{synced}");

    family.start(TOWN);
    between.retarget(family.at(TOWN).node().address());
    everybody(&family);
    let counted = town.counted(&case);
    assert!(counted.contains(&by_village) && counted.contains(&by_county));
    level("the first mirrors the second", TOWN, &[&town, &second]);
    second.verify();
    family.verify();
    standby.stop();
}
