//! What is erased is gone, stays gone, and nothing else goes with it.

use super::*;

#[test]
fn erased_is_gone_and_stays_gone() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    let ((subject, sealed), (other, kept)) = (case(1), case(2));
    keystore.add(&sealed.items()).expect("stored");
    keystore.add(&kept.items()).expect("stored");
    assert_eq!(keystore.erase(&subject, erasure()).expect("erased"), 3);
    assert_eq!(keystore.erase(&subject, erasure()).expect("erased"), 0);

    let check = |keystore: &Keystore| {
        assert_eq!(keystore.erasure(&subject), Some(erasure()));
        assert!(matches!(
            keystore.open_particulars(&subject, &node(VILLAGE).secret),
            Err(OpenError::Erased(Some(_)))
        ));
        for item in sealed.items() {
            assert!(!keystore.contains(item.get().id()));
            assert_eq!(
                keystore.offer(item.get().encoded(), &welcome).expect("judged"),
                Offered::Erased
            );
        }
        assert!(matches!(
            keystore.add(&sealed.items()),
            Err(KeystoreError::Erased)
        ));
        assert!(
            opens(keystore, &other, &node(VILLAGE)),
            "another subject is untouched"
        );
    };
    check(&keystore);
    drop(keystore);
    let (keystore, report) = open(&folder);
    assert_eq!((report.items, report.erased, report.finished), (3, 1, 0));
    check(&keystore);

    keystore.lift(&subject).expect("lifted");
    assert!(matches!(
        keystore
            .offer(sealed.body.get().encoded(), &welcome)
            .expect("judged"),
        Offered::Stored(_)
    ));
}

#[test]
fn erasing_in_one_document_does_not_reach_into_another_with_the_same_commitment() {
    let folder = folder();
    let (keystore, _) = open(&folder);
    let (subject, sealed) = case(1);
    keystore.add(&sealed.items()).expect("stored");
    let copied = Subject {
        document: DocumentId::from_bytes([9; 16]),
        space: Space::up("4509/02/001/002".parse().expect("a path")),
        ..subject.clone()
    };
    keystore.erase(&copied, erasure()).expect("erased");
    assert!(opens(&keystore, &subject, &node(VILLAGE)));
}

/// Breaks an erasure off after each of its steps, by putting the folder into the state it would be in.
#[test]
fn an_erasure_that_broke_off_is_finished_on_opening() {
    for step in 0..5 {
        let folder = folder();
        let (subject, sealed) = case(1);
        let (keystore, _) = open(&folder);
        keystore.add(&sealed.items()).expect("stored");
        let root = folder.path();
        let name = hex::encode(subject.digest());
        let tombstone = tombstone::encode(&subject, erasure());
        let item = |at: usize| keystore.folder.item(sealed.items()[at].get().id());
        let away = |at: usize| {
            root.join("erasing")
                .join(sealed.items()[at].get().id().to_string())
        };
        match step {
            // The tombstone was being written: the erasure was never acknowledged.
            0 => fs::write(root.join("new").join(&name), &tombstone[..20]).expect("written"),
            _ => fs::write(root.join("erased").join(&name), &tombstone).expect("written"),
        }
        if step >= 2 {
            fs::rename(item(0), away(0)).expect("moved");
        }
        if step >= 3 {
            for at in 1..3 {
                fs::rename(item(at), away(at)).expect("moved");
            }
        }
        if step >= 4 {
            fs::write(away(0), vec![0; 10]).expect("overwritten");
            fs::remove_file(away(1)).expect("deleted");
        }
        drop(keystore);

        let (keystore, report) = open(&folder);
        assert_eq!(report.damaged, []);
        if step == 0 {
            assert_eq!((report.items, report.finished), (3, 1));
            assert!(opens(&keystore, &subject, &node(VILLAGE)));
        } else {
            assert_eq!(report.items, 0, "step {step}");
            assert_eq!(report.finished, if step == 4 { 2 } else { 3 }, "step {step}");
            assert_eq!(keystore.erasure(&subject), Some(erasure()));
            assert_eq!(
                files(root).len(),
                2,
                "step {step}: only the format file and the tombstone are left"
            );
            assert_eq!(
                keystore
                    .offer(sealed.body.get().encoded(), &welcome)
                    .expect("judged"),
                Offered::Erased
            );
        }
    }
}

#[test]
fn a_damaged_tombstone_still_keeps_it_erased() {
    let folder = folder();
    let (subject, sealed) = case(1);
    let (keystore, _) = open(&folder);
    keystore.erase(&subject, erasure()).expect("erased");
    drop(keystore);
    let path = folder.path().join("erased").join(hex::encode(subject.digest()));
    fs::write(&path, b"x").expect("damaged");
    let (keystore, report) = open(&folder);
    assert_eq!((report.damaged.len(), report.erased), (1, 1));
    assert!(keystore.is_erased(&subject));
    assert_eq!(keystore.erasure(&subject), None);
    assert_eq!(
        keystore
            .offer(sealed.body.get().encoded(), &welcome)
            .expect("judged"),
        Offered::Erased
    );
    // Carrying the erasure out again writes the tombstone anew.
    keystore.erase(&subject, erasure()).expect("erased");
    drop(keystore);
    assert_eq!(open(&folder).1.damaged, []);
}
