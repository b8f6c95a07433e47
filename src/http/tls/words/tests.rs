use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertRevocationListError, Error, ExtendedKeyPurpose, InconsistentKeys, OtherError};

use super::*;

/// Names with an inner capital that may appear in a text.
const PROPER: [&str; 2] = ["subjectAltName", "KiB"];

/// Checks that a text has no trace of a `Debug` form: no brackets and no names of variants.
fn assert_plain(text: &str) {
    assert!(text.len() > 8, "{text:?}");
    for artefact in ["{", "}", "[", "]", "::", "(\"", "Other(", "Oid", "Error", "0x"] {
        assert!(!text.contains(artefact), "{artefact} in {text:?}");
    }
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !PROPER.contains(word)) {
        let camel = word.as_bytes().windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
        assert!(!camel, "{word} in {text:?}");
    }
    assert!(!text.ends_with('.') && !text.contains(".."), "{text:?}");
}

#[test]
fn every_alert_has_words_and_the_name_that_the_rfcs_give_it() {
    let named = [
        (0, "close_notify"),
        (10, "unexpected_message"),
        (20, "bad_record_mac"),
        (21, "decryption_failed"),
        (22, "record_overflow"),
        (30, "decompression_failure"),
        (40, "handshake_failure"),
        (41, "no_certificate"),
        (42, "bad_certificate"),
        (43, "unsupported_certificate"),
        (44, "certificate_revoked"),
        (45, "certificate_expired"),
        (46, "certificate_unknown"),
        (47, "illegal_parameter"),
        (48, "unknown_ca"),
        (49, "access_denied"),
        (50, "decode_error"),
        (51, "decrypt_error"),
        (60, "export_restriction"),
        (70, "protocol_version"),
        (71, "insufficient_security"),
        (80, "internal_error"),
        (86, "inappropriate_fallback"),
        (90, "user_canceled"),
        (100, "no_renegotiation"),
        (109, "missing_extension"),
        (110, "unsupported_extension"),
        (111, "certificate_unobtainable"),
        (112, "unrecognized_name"),
        (113, "bad_certificate_status_response"),
        (114, "bad_certificate_hash_value"),
        (115, "unknown_psk_identity"),
        (116, "certificate_required"),
        (120, "no_application_protocol"),
        (121, "ech_required"),
    ];
    for number in 0..=255 {
        let text = of_alert(AlertDescription::from(number));
        assert_plain(&text);
        let name = named.iter().find(|named| named.0 == number).map_or_else(|| number.to_string(), |n| n.1.into());
        assert!(text.ends_with(&format!(" (TLS alert {name})")), "{number}: {text}");
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn other(name: &'static str) -> OtherError {
    OtherError(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(name)))
}

fn wrong_host(presented: &[&str]) -> CertificateError {
    CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("api.example").unwrap(),
        presented: presented.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn certificate_errors() -> Vec<CertificateError> {
    use CertificateError as Bad;
    #[allow(deprecated)]
    let mut errors = vec![
        Bad::BadEncoding,
        Bad::Expired,
        Bad::ExpiredContext { time: at(1_600_000_000), not_after: at(1_500_000_000) },
        Bad::ExpiredContext { time: at(u64::MAX), not_after: at(0) },
        Bad::NotValidYet,
        Bad::NotValidYetContext { time: at(1_500_000_000), not_before: at(1_600_000_000) },
        Bad::Revoked,
        Bad::UnhandledCriticalExtension,
        Bad::UnknownIssuer,
        Bad::UnknownRevocationStatus,
        Bad::ExpiredRevocationList,
        Bad::ExpiredRevocationListContext { time: at(2), next_update: at(1) },
        Bad::BadSignature,
        Bad::UnsupportedSignatureAlgorithm,
        Bad::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![1, 2],
            supported_algorithms: Vec::new(),
        },
        Bad::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![1, 2],
            public_key_algorithm_id: vec![1, 2],
        },
        Bad::NotValidForName,
        wrong_host(&[]),
        wrong_host(&["DnsName(\"a.example\")", "IpAddress(127.0.0.1)"]),
        wrong_host(&["DirectoryName", "Unsupported(0xa0)", "DnsName(\"\u{1b}[31m {\")", "DnsName(\"Other(Error)\")"]),
        Bad::InvalidPurpose,
        Bad::InvalidPurposeContext {
            required: ExtendedKeyPurpose::ServerAuth,
            presented: vec![ExtendedKeyPurpose::Other(vec![1, 2])],
        },
        Bad::InvalidOcspResponse,
        Bad::ApplicationVerificationFailure,
    ];
    let path_errors = [
        "BadDer",
        "CaUsedAsEndEntity",
        "CertDistrusted",
        "EmptyEkuExtension",
        "EndEntityUsedAsCa",
        "ExtensionValueInvalid",
        "InvalidNetworkMaskConstraint",
        "InvalidSerialNumber",
        "MalformedDnsIdentifier",
        "MalformedExtensions",
        "MalformedNameConstraint",
        "MaximumNameConstraintComparisonsExceeded",
        "MaximumPathBuildCallsExceeded",
        "MaximumPathDepthExceeded",
        "MaximumSignatureChecksExceeded",
        "NameConstraintViolation",
        "PathLenConstraintViolated",
        "SignatureAlgorithmMismatch",
        "TrailingData(Certificate)",
        "UnsupportedCertVersion",
        "UnsupportedCriticalExtension",
        "AnErrorOfTomorrow { oid: [1, 2] }",
    ];
    errors.extend(path_errors.map(|name| Bad::Other(other(name))));
    errors
}

#[test]
fn every_error_is_told_in_words() {
    use rustls::{ContentType, HandshakeType};
    let mut errors: Vec<Error> = certificate_errors().into_iter().map(Error::from).collect();
    errors.extend([
        Error::InappropriateMessage { expect_types: vec![ContentType::Alert], got_type: ContentType::Handshake },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::ClientHello],
            got_type: HandshakeType::ServerHello,
        },
        Error::InvalidEncryptedClientHello(rustls::EncryptedClientHelloError::InvalidConfigList),
        Error::NoCertificatesPresented,
        Error::UnsupportedNameType,
        Error::DecryptError,
        Error::EncryptError,
        Error::AlertReceived(AlertDescription::HandshakeFailure),
        Error::InvalidCertRevocationList(CertRevocationListError::BadSignature),
        Error::General("Debug { of: [1, 2] }".into()),
        Error::FailedToGetCurrentTime,
        Error::FailedToGetRandomBytes,
        Error::HandshakeNotComplete,
        Error::PeerSentOversizedRecord,
        Error::NoApplicationProtocol,
        Error::BadMaxFragmentSize,
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        Error::Other(other("Other(OtherError(CaUsedAsEndEntity))")),
    ]);
    errors.extend(
        [
            InvalidMessage::CertificatePayloadTooLarge,
            InvalidMessage::HandshakePayloadTooLarge,
            InvalidMessage::InvalidCcs,
            InvalidMessage::InvalidContentType,
            InvalidMessage::InvalidCertificateStatusType,
            InvalidMessage::InvalidCertRequest,
            InvalidMessage::InvalidDhParams,
            InvalidMessage::InvalidEmptyPayload,
            InvalidMessage::InvalidKeyUpdate,
            InvalidMessage::InvalidServerName,
            InvalidMessage::MessageTooLarge,
            InvalidMessage::MessageTooShort,
            InvalidMessage::MissingData("ServerHello"),
            InvalidMessage::MissingKeyExchange,
            InvalidMessage::NoSignatureSchemes,
            InvalidMessage::TrailingData("ServerHello"),
            InvalidMessage::UnexpectedMessage("ServerHello"),
            InvalidMessage::UnknownProtocolVersion,
            InvalidMessage::UnsupportedCompression,
            InvalidMessage::UnsupportedCurveType,
            InvalidMessage::EmptyTicketValue,
            InvalidMessage::IllegalEmptyList("SignatureSchemes"),
            InvalidMessage::IllegalEmptyValue,
            InvalidMessage::DuplicateExtension(7),
            InvalidMessage::PreSharedKeyIsNotFinalExtension,
            InvalidMessage::UnknownHelloRetryRequestExtension,
            InvalidMessage::UnknownCertificateExtension,
        ]
        .map(Error::from),
    );
    errors.extend(
        [
            PeerIncompatible::EcPointsExtensionRequired,
            PeerIncompatible::ExtendedMasterSecretExtensionRequired,
            PeerIncompatible::KeyShareExtensionRequired,
            PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            PeerIncompatible::NoCipherSuitesInCommon,
            PeerIncompatible::NoKxGroupsInCommon,
            PeerIncompatible::NoSignatureSchemesInCommon,
            PeerIncompatible::ServerDoesNotSupportTls12Or13,
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            PeerIncompatible::Tls12NotOffered,
            PeerIncompatible::UncompressedEcPointsRequired,
            PeerIncompatible::ServerRejectedEncryptedClientHello(None),
        ]
        .map(Error::from),
    );
    errors.extend(
        [
            PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported,
            PeerMisbehaved::BadCertChainExtensions,
            PeerMisbehaved::IllegalMiddleboxChangeCipherSpec,
            PeerMisbehaved::InvalidKeyShare,
            PeerMisbehaved::KeyEpochWithPendingFragment,
            PeerMisbehaved::MessageInterleavedWithHandshakeMessage,
            PeerMisbehaved::SelectedUnofferedCipherSuite,
            PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme,
            PeerMisbehaved::TooManyEmptyFragments,
            PeerMisbehaved::TooManyKeyUpdateRequests,
            PeerMisbehaved::UnsolicitedServerHelloExtension,
        ]
        .map(Error::from),
    );
    for error in errors {
        assert_plain(&of_error(&error));
    }
}

#[test]
fn a_certificates_words_name_the_fault_and_the_remedy() {
    use CertificateError as Bad;
    for (error, words) in [
        (
            Bad::ExpiredContext { time: at(1_600_000_000), not_after: at(1_577_836_799) },
            "it, or a certificate of its chain, expired at Tue, 31 Dec 2019 23:59:59 UTC and this machine's clock says \
             Sun, 13 Sep 2020 12:26:40 UTC. Check the clock",
        ),
        (
            Bad::NotValidYetContext { time: at(0), not_before: at(1_577_836_800) },
            "it, or a certificate of its chain, is valid from Wed, 01 Jan 2020 00:00:00 UTC on and this machine's clock says \
             Thu, 01 Jan 1970 00:00:00 UTC. Check the clock",
        ),
        (
            wrong_host(&["DnsName(\"*.a.example\")", "DirectoryName", "IpAddress(::1)"]),
            "it is made out to *.a.example, ::1, but the host is api.example. Check base_url",
        ),
        (
            wrong_host(&["DnsName(\"a\")"; 9]),
            "it is made out to a, a, a, a, a and 4 more, but the host is api.example. Check base_url",
        ),
        (wrong_host(&["DnsName(\"\n\")"]), "it names no host, but the host is api.example. Check base_url"),
    ] {
        let text = of_certificate(&error);
        assert!(text.starts_with(words), "{text}");
    }
    assert!(of_certificate(&Bad::UnknownIssuer).contains("ca_file"));
    let text = of_certificate(&Bad::Other(other("CaUsedAsEndEntity")));
    assert!(text.contains("signed by that authority") && text.contains("ca_file"), "{text}");
}

#[test]
fn every_fault_of_a_pem_file_is_told_in_words() {
    for error in [
        pem::Error::MissingSectionEnd { end_marker: b"-----END".to_vec() },
        pem::Error::IllegalSectionStart { line: b"-----BEGIN".to_vec() },
        pem::Error::Base64Decode("InvalidCharacter(3)".into()),
        pem::Error::NoItemsFound,
        pem::Error::SectionTooLarge,
    ] {
        assert_plain(of_pem(&error));
    }
}
