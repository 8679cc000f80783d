//! The scenarios of `sync-bench` with a few cases, as far as they are not about time: that all come level,
//! and what they say to each other for it.

use std::process::Command;

use serde_json::Value;

#[test]
fn few_cases_come_level_within_their_round_trips_and_bytes() {
    let ran = Command::new(env!("CARGO_BIN_EXE_sync-bench"))
        .args(["--cases", "60", "--children", "6", "--json"])
        .args(["--only", "S1,S2,S3,S4,S6"])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}");
    let report: Value = serde_json::from_slice(&ran.stdout).expect("one JSON object");
    let figure = |pointer: &str| {
        let figure = report.pointer(pointer).and_then(Value::as_u64);
        figure.unwrap_or_else(|| panic!("no {pointer} in {report}"))
    };
    let bytes = |scenario: &str| {
        figure(&format!("/{scenario}/bytes_to_receiver")) + figure(&format!("/{scenario}/bytes_to_sender"))
    };

    // That S1 to S3 have ended says that the digests were equal.
    assert_eq!(figure("/floor/updates"), 60 * 12);
    assert!(figure("/S1/records") >= 60 * 12, "{report}");
    assert!(bytes("S1") < figure("/signed_update_bytes"), "{report}");

    assert_eq!(figure("/S2/records"), 0, "{report}");
    assert!(figure("/S2/round_trips") <= 2, "{report}");
    // The session alone takes some 440; the rest is each asking its witness what it saw last.
    assert!(bytes("S2") <= 1_000, "{report}");

    for scenario in ["S3", "S3_by_digests"] {
        let updates = figure(&format!("/{scenario}/updates_bytes"));
        assert_eq!(figure(&format!("/{scenario}/records")), 60, "{report}");
        assert!(figure(&format!("/{scenario}/round_trips")) <= 5, "{report}");
        assert!(bytes(scenario) <= updates * 11 / 10 + 64_000, "{report}");
    }

    assert_eq!(report.pointer("/S4/level"), Some(&Value::Bool(true)), "{report}");
    assert_eq!(figure("/S4/records"), figure("/S4/updates"), "{report}");
    assert!(figure("/S4/round_trips") <= 4, "{report}");
    assert!(figure("/S4/overhead_bytes") <= 2_000, "{report}");

    assert_eq!(report.pointer("/S6/level"), Some(&Value::Bool(true)), "{report}");
    assert_eq!(figure("/S6/children"), 6, "{report}");
}
