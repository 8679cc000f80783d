use anjuan_sync::{DocumentId, Space};

use super::*;
use crate::particulars::content::MAX_FILE;
use crate::particulars::item::{MAX_ITEM, MAX_SEALED};
use crate::particulars::testing::{Counter, file, maker, node, operator, person, sealed};

fn handling(number: u8) -> (Recipient, Purpose) {
    (node(number).recipient, Purpose::Handling)
}

fn opens(sealed: &Sealed, wrap: usize, secret: &StaticSecret) -> Result<Particulars, UnsealError> {
    unseal(sealed.body.get(), sealed.wraps[wrap].get(), secret).map(|opened| opened.particulars)
}

#[test]
fn commitments_are_pinned() {
    let prepared = Prepared::new(&person(), &mut Counter(0));
    assert_eq!(
        prepared.commitment().to_string(),
        "131e4ba65c93203013ef08fe9d192ff0aca14033c4ea97a0153062c329d17e13"
    );
    assert_ne!(
        Prepared::new(&person(), &mut Counter(1)).commitment(),
        prepared.commitment()
    );
}

#[test]
fn recipients_open_and_nobody_else() {
    let (_, sealed) = sealed(&person(), 1, &[handling(1), handling(2)], 0);
    assert_eq!(opens(&sealed, 0, &node(1).secret), Ok(person()));
    assert_eq!(opens(&sealed, 1, &node(2).secret), Ok(person()));
    assert_eq!(opens(&sealed, 0, &node(2).secret), Err(UnsealError::Wrap));
    assert_eq!(opens(&sealed, 0, &node(3).secret), Err(UnsealError::Wrap));
}

#[test]
fn a_wrap_or_body_of_another_document_does_not_open() {
    let (_, here) = sealed(&person(), 1, &[handling(1)], 0);
    let (_, there) = sealed(&person(), 2, &[handling(1)], 0);
    let mixed = Sealed {
        body: here.body.clone(),
        wraps: there.wraps,
    };
    assert_eq!(opens(&mixed, 0, &node(1).secret), Err(UnsealError::Body));
    // Signed anew for another document, by somebody who may write there: the ciphers notice.
    let mut elsewhere = here.body.get().subject().clone();
    elsewhere.document = DocumentId::from_bytes([2; 16]);
    let again = |item: &VerifiedItem, subject: &Subject| {
        VerifiedItem::sign(
            subject.clone(),
            item.get().content().clone(),
            item.get().certificate(),
            &operator(8),
        )
    };
    let moved = Sealed {
        body: again(&here.body, &elsewhere),
        wraps: vec![again(&here.wraps[0], &elsewhere)],
    };
    assert_eq!(opens(&moved, 0, &node(1).secret), Err(UnsealError::Wrap));
    let subject = here.body.get().subject();
    let key = unwrap(here.wraps[0].get(), &node(1).secret).expect("opens");
    let honest = wrap(
        &key,
        &elsewhere,
        node(1).recipient,
        Purpose::Handling,
        maker(&operator(8)),
        &mut Counter(9),
    );
    let moved = Sealed {
        body: again(&here.body, &elsewhere),
        wraps: vec![honest.expect("a usable key")],
    };
    assert_eq!(opens(&moved, 0, &node(1).secret), Err(UnsealError::Body));
    assert_eq!(subject.document, DocumentId::from_bytes([1; 16]));
}

#[test]
fn a_body_that_is_not_what_was_committed_to_does_not_open() {
    let mut rng = Counter(0);
    let prepared = Prepared::new(&person(), &mut rng);
    let forged = Prepared {
        commitment: Commitment::from_bytes([9; 32]),
        plaintext: prepared.plaintext.clone(),
    };
    let subject = Subject {
        space: Space::up("4509/02/001/001".parse().expect("a path")),
        document: DocumentId::from_bytes([1; 16]),
        commitment: forged.commitment(),
    };
    let key = operator(7);
    let sealed = forged
        .seal(&subject, &[handling(1)], maker(&key), &mut rng)
        .expect("usable keys");
    assert_eq!(opens(&sealed, 0, &node(1).secret), Err(UnsealError::Commitment));
}

#[test]
fn no_bit_of_a_wrap_or_body_can_change() {
    let (subject, sealed) = sealed(&person(), 1, &[handling(1)], 0);
    let resigned = |content| {
        VerifiedItem::sign(
            subject.clone(),
            content,
            CertificateId::from_bytes([1; 32]),
            &operator(8),
        )
    };
    let ItemContent::Wrap {
        recipient,
        purpose,
        encapsulated,
        wrapped,
    } = sealed.wraps[0].get().content().clone()
    else {
        unreachable!("a wrap");
    };
    let mut changed = vec![
        ItemContent::Wrap {
            recipient,
            purpose: Purpose::Disclosure,
            encapsulated,
            wrapped,
        },
        ItemContent::Wrap {
            recipient: node(2).recipient,
            purpose,
            encapsulated,
            wrapped,
        },
        ItemContent::Wrap {
            recipient: Recipient {
                certificate: CertificateId::from_bytes([2; 32]),
                ..recipient
            },
            purpose,
            encapsulated,
            wrapped,
        },
    ];
    for at in 0..32 {
        let mut encapsulated = encapsulated;
        encapsulated[at] ^= 1;
        changed.push(ItemContent::Wrap {
            recipient,
            purpose,
            encapsulated,
            wrapped,
        });
    }
    for at in 0..WRAPPED {
        let mut wrapped = wrapped;
        wrapped[at] ^= 1;
        changed.push(ItemContent::Wrap {
            recipient,
            purpose,
            encapsulated,
            wrapped,
        });
    }
    for content in changed {
        let item = resigned(content);
        assert_eq!(
            unseal(sealed.body.get(), item.get(), &node(1).secret).map(|_| ()),
            Err(UnsealError::Wrap)
        );
    }
    let ItemContent::Body { nonce, sealed: bytes } = sealed.body.get().content().clone() else {
        unreachable!("a body");
    };
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let item = resigned(ItemContent::Body {
            nonce,
            sealed: changed,
        });
        assert_eq!(
            unseal(item.get(), sealed.wraps[0].get(), &node(1).secret).map(|_| ()),
            Err(UnsealError::Body)
        );
    }
}

#[test]
fn unusable_recipients_are_refused_by_certificate() {
    let mut nobody = node(1).recipient;
    nobody.key = SealKey::from_bytes([0; 32]);
    let mut rng = Counter(0);
    let prepared = Prepared::new(&person(), &mut rng);
    let (subject, _) = sealed(&person(), 1, &[], 0);
    assert_eq!(subject.commitment, prepared.commitment());
    let key = operator(7);
    let result = prepared.seal(&subject, &[(nobody, Purpose::Handling)], maker(&key), &mut rng);
    assert_eq!(result.map(|_| ()), Err(SealError::Recipient(nobody.certificate)));
}

#[test]
fn the_length_of_a_body_tells_little() {
    let length = |particulars: &Particulars| match sealed(particulars, 1, &[], 0).1.body.get().content() {
        ItemContent::Body { sealed, .. } => sealed.len(),
        ItemContent::Wrap { .. } => 0,
    };
    assert_eq!(length(&person()), 256 + 16);
    assert_eq!(length(&file(100)), 256 + 16);
    assert_eq!(length(&file(5000)), 8192 + 16);
    assert!(length(&file(MAX_FILE)) <= MAX_SEALED);
    assert!(sealed(&file(MAX_FILE), 1, &[], 0).1.body.get().encoded().len() <= MAX_ITEM);
}

#[test]
fn plaintexts_with_wrong_lengths_or_padding_are_refused() {
    let prepared = Prepared::new(&person(), &mut Counter(0));
    assert!(content(&prepared.plaintext).is_some());
    let mut padding = prepared.plaintext.clone();
    *padding.last_mut().expect("not empty") = 1;
    assert_eq!(content(&padding), None);
    let mut long = prepared.plaintext.clone();
    long[32] = 0xff;
    assert_eq!(content(&long), None);
    assert_eq!(content(&[0; 35]), None);
}

#[test]
fn nothing_shows_a_value() {
    let (_, sealed) = sealed(&person(), 1, &[handling(1)], 0);
    let prepared = Prepared::new(&person(), &mut Counter(0));
    let opened = unseal(sealed.body.get(), sealed.wraps[0].get(), &node(1).secret);
    let shown = format!("{prepared:?} {sealed:?} {opened:?} {:?}", maker(&operator(7)));
    for value in ["韦秀英", "11010519491231002X", "13807750000", "东成路"] {
        assert!(!shown.contains(value), "{value}");
    }
}
