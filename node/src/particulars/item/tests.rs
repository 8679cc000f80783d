use proptest::prelude::*;

use super::*;
use crate::particulars::testing::{node, person, sealed};

fn items() -> (VerifiedItem, VerifiedItem) {
    let (_, mut sealed) = sealed(&person(), 1, &[(node(1).recipient, Purpose::Handling)], 0);
    (sealed.body, sealed.wraps.remove(0))
}

#[test]
fn the_encodings_are_pinned() {
    let (body, wrap) = items();
    assert_eq!(
        body.get().id().to_string(),
        "8a4fa222f6f880063e29d5356cfaebfcc6fc96d05e28fb5c6f9600aa992ae446"
    );
    assert_eq!(
        hex::encode(wrap.get().encoded()),
        "82590128850183826f343530392f30322f3030312f3030310050010101010101010101010101010101015820131e4ba65c93203013ef08fe9d192ff0aca14033c4ea97a0153062c329d17e135820ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c5820cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc850182582001010101010101010101010101010101010101010101010101010101010101015820a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a20900582039c6f042a935734a184effb57f32dece973ca8f05d25052f4e70c0176f2feb46583019a373a224d1e3fe185e116018dff60615f1257a7dd4a41203222bcbad2b147ecdaa7a7390e9bcd48c8830c8e829b7c558400514b31fb76277c7a2f51fd227c0fa2ad050bf581d1ebe592919cf24015ede5c75c49ba11afe478feeabc29981a4f92e064f3cd8f76a76938b27f368d3648502"
    );
}

#[test]
fn what_is_written_is_read() {
    let (body, wrap) = items();
    for item in [body, wrap] {
        let read = SealedItem::decode(item.get().encoded()).expect("decodes");
        assert_eq!(&read, item.get());
        assert_eq!(read.verify(), Ok(item));
    }
}

#[test]
fn no_single_byte_can_change() {
    let (body, wrap) = items();
    for item in [body, wrap] {
        let bytes = item.get().encoded();
        for at in 0..bytes.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = bytes.to_vec();
                changed[at] ^= change;
                let accepted = SealedItem::decode(&changed).is_ok_and(|item| item.verify().is_ok());
                assert!(!accepted, "byte {at}");
            }
            assert!(SealedItem::decode(&bytes[..at]).is_err(), "length {at}");
        }
    }
}

#[test]
fn newer_versions_and_oversized_items_are_named() {
    let (body, _) = items();
    let mut wire: Wire = minicbor::decode(body.get().encoded()).expect("decodes");
    wire.statement[1] = 2;
    assert_eq!(SealedItem::decode(&encode(&wire)), Err(ItemError::Version(2)));
    wire.statement = vec![0x82, 3, 4];
    assert_eq!(SealedItem::decode(&encode(&wire)), Err(ItemError::Version(3)));
    assert_eq!(
        SealedItem::decode(&vec![0; MAX_ITEM + 1]),
        Err(ItemError::TooLong(MAX_ITEM + 1))
    );
}

#[test]
fn bodies_of_a_length_that_sealing_does_not_make_are_refused() {
    let (body, _) = items();
    for length in [0, 16, 17, 255, 256 + 15, MAX_SEALED + 1] {
        let content = ItemContent::Body {
            nonce: [0; 24],
            sealed: vec![0; length],
        };
        let key = crate::particulars::testing::operator(7);
        let item = VerifiedItem::sign(
            body.get().subject().clone(),
            content,
            body.get().certificate(),
            &key,
        );
        assert_eq!(
            SealedItem::decode(item.get().encoded()),
            Err(ItemError::Malformed),
            "{length}"
        );
    }
}

#[test]
fn a_weak_maker_key_is_refused() {
    let (body, _) = items();
    let mut wire: Wire = minicbor::decode(body.get().encoded()).expect("decodes");
    let mut statement = body.get().statement.clone();
    // The neutral element: signatures under it are valid for any message unless checked strictly.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    statement.maker = AuthorKey::from_bytes(neutral);
    wire.statement = encode(&statement);
    wire.signature = [0; 64];
    wire.signature[0] = 1;
    let item = SealedItem::decode(&encode(&wire)).expect("well formed");
    assert_eq!(item.verify().map(|_| ()), Err(ItemError::Forged));
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = SealedItem::decode(&bytes).map(SealedItem::verify);
    }

    #[test]
    fn decoding_mangled_items_never_panics(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        wrap in any::<bool>(),
    ) {
        let (body, key) = items();
        let mut bytes = if wrap { key } else { body }.get().encoded().to_vec();
        for (at, value) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = SealedItem::decode(&bytes).map(SealedItem::verify);
    }
}
