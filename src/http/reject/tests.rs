use super::*;

/// Every variant: the match makes sure that a new one is put here too.
fn chain() -> Vec<Reject> {
    let mut all = vec![Reject::LeadingBytes];
    loop {
        let next = match all[all.len() - 1] {
            Reject::LeadingBytes => Reject::BadMethod,
            Reject::BadMethod => Reject::MethodTooLong,
            Reject::MethodTooLong => Reject::UnknownMethod,
            Reject::UnknownMethod => Reject::ConnectRefused,
            Reject::ConnectRefused => Reject::BadTarget,
            Reject::BadTarget => Reject::BadPercent,
            Reject::BadPercent => Reject::TargetTooLong,
            Reject::TargetTooLong => Reject::BadVersion,
            Reject::BadVersion => Reject::UnsupportedVersion,
            Reject::UnsupportedVersion => Reject::BareLineEnd,
            Reject::BareLineEnd => Reject::LeadingWhitespace,
            Reject::LeadingWhitespace => Reject::Folded,
            Reject::Folded => Reject::BadFieldName,
            Reject::BadFieldName => Reject::SpaceBeforeColon,
            Reject::SpaceBeforeColon => Reject::BadFieldValue,
            Reject::BadFieldValue => Reject::FieldTooLarge,
            Reject::FieldTooLarge => Reject::HeadTooLarge,
            Reject::HeadTooLarge => Reject::TooManyFields,
            Reject::TooManyFields => Reject::HostMissing,
            Reject::HostMissing => Reject::HostRepeated,
            Reject::HostRepeated => Reject::BadHost,
            Reject::BadHost => Reject::BadLength,
            Reject::BadLength => Reject::LengthRepeated,
            Reject::LengthRepeated => Reject::LengthAndEncoding,
            Reject::LengthAndEncoding => Reject::BadEncoding,
            Reject::BadEncoding => Reject::UnknownEncoding,
            Reject::UnknownEncoding => Reject::EncodingInHttp10,
            Reject::EncodingInHttp10 => Reject::UnknownExpectation,
            Reject::UnknownExpectation => Reject::ContentTooLarge,
            Reject::ContentTooLarge => Reject::BadChunkSize,
            Reject::BadChunkSize => Reject::BadChunkExtension,
            Reject::BadChunkExtension => Reject::ChunkExtensionsTooLarge,
            Reject::ChunkExtensionsTooLarge => Reject::BadChunkEnd,
            Reject::BadChunkEnd => Reject::BadTrailer,
            Reject::BadTrailer => Reject::TrailersTooLarge,
            Reject::TrailersTooLarge => return all,
        };
        all.push(next);
    }
}

#[test]
fn all_is_all() {
    assert_eq!(Reject::ALL.to_vec(), chain());
}

#[test]
fn every_reason_stands_in_json_as_it_is_and_is_said_once() {
    let mut reasons: Vec<_> = Reject::ALL.into_iter().map(Reject::reason).collect();
    for reason in &reasons {
        assert!(reason.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'));
        assert!((10..80).contains(&reason.len()), "{reason}");
    }
    let count = reasons.len();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), count);
}

#[test]
fn every_status_is_an_error_with_a_reason_phrase() {
    for reject in Reject::ALL {
        assert!((400..600).contains(&reject.status()), "{reject:?}");
        assert!(!crate::http::encode::reason_phrase(reject.status()).is_empty(), "{reject:?}");
    }
}
