//! Describes TLS errors to a person. No I/O.
//!
//! rustls prints most of its errors in their `Debug` form: names of variants, OIDs, byte arrays. This library never
//! shows that form.

use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::{UnixTime, pem};
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible, PeerMisbehaved};

/// Why TLS failed, as the end of a sentence: "the TLS handshake failed: …".
pub(super) fn of_error(error: &rustls::Error) -> String {
    use rustls::Error;
    match error {
        Error::AlertReceived(alert) => return format!("the service ended it: {}", of_alert(*alert)),
        Error::InvalidCertificate(error) => return format!("the certificate is not valid: {}", of_certificate(error)),
        Error::InvalidMessage(error) => of_invalid_message(error),
        Error::PeerIncompatible(error) => of_incompatible(error),
        Error::PeerMisbehaved(error) => of_misbehaved(error),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a TLS message came at a point where it is not allowed"
        }
        Error::NoCertificatesPresented => "the service showed no certificate",
        Error::UnsupportedNameType => "the host name is of a kind that no certificate can be checked against",
        Error::DecryptError => "a TLS record failed its integrity check: it was damaged or changed on its way",
        Error::PeerSentOversizedRecord => "a TLS record is larger than TLS allows",
        Error::EncryptError => "a TLS record could not be encrypted",
        Error::NoApplicationProtocol => "the service and this library have no application protocol in common",
        Error::FailedToGetCurrentTime => "this machine's clock cannot be read",
        Error::FailedToGetRandomBytes => "this machine gives no random numbers",
        Error::InvalidEncryptedClientHello(_) => "the encrypted client hello failed",
        Error::InvalidCertRevocationList(_) => "a list of revoked certificates is not valid",
        _ => "the TLS implementation failed without a reason that can be told",
    }
    .into()
}

/// Why the peer ended TLS, as the end of a sentence, with the name that the RFCs give the alert.
pub(super) fn of_alert(alert: AlertDescription) -> String {
    let words = known_alert(alert).map_or("for a reason that this library does not know", |(_, words)| words);
    format!("{words} ({})", name_of_alert(alert))
}

/// The name of an alert as in the RFCs: "TLS alert certificate_required".
pub(super) fn name_of_alert(alert: AlertDescription) -> String {
    match known_alert(alert) {
        Some((name, _)) => format!("TLS alert {name}"),
        None => format!("TLS alert {}", u8::from(alert)),
    }
}

fn known_alert(alert: AlertDescription) -> Option<(&'static str, &'static str)> {
    use AlertDescription as Alert;
    Some(match alert {
        Alert::CloseNotify => ("close_notify", "it closed the connection"),
        Alert::UnexpectedMessage => ("unexpected_message", "it got a message that it did not expect"),
        Alert::BadRecordMac => ("bad_record_mac", "it got a record that failed its integrity check"),
        Alert::DecryptionFailed => ("decryption_failed", "it could not decrypt a record"),
        Alert::RecordOverflow => ("record_overflow", "it got a record that was too large"),
        Alert::DecompressionFailure => ("decompression_failure", "it could not decompress what it got"),
        Alert::HandshakeFailure => {
            ("handshake_failure", "it accepts none of the TLS parameters offered, or wants a client certificate")
        }
        Alert::NoCertificate => ("no_certificate", "a certificate is missing"),
        Alert::BadCertificate => ("bad_certificate", "it does not accept the client's certificate, or the lack of one"),
        Alert::UnsupportedCertificate => {
            ("unsupported_certificate", "it does not support the client's kind of certificate")
        }
        Alert::CertificateRevoked => ("certificate_revoked", "the client's certificate was revoked"),
        Alert::CertificateExpired => ("certificate_expired", "the client's certificate has expired"),
        Alert::CertificateUnknown => ("certificate_unknown", "it does not accept the client's certificate"),
        Alert::IllegalParameter => ("illegal_parameter", "it got a value that is not allowed"),
        Alert::UnknownCA => ("unknown_ca", "it does not know who issued the client's certificate"),
        Alert::AccessDenied => ("access_denied", "it denies this client access"),
        Alert::DecodeError => ("decode_error", "it could not decode a message"),
        Alert::DecryptError => ("decrypt_error", "it could not verify a signature or the end of the handshake"),
        Alert::ExportRestriction => ("export_restriction", "the handshake broke an export restriction"),
        Alert::ProtocolVersion => ("protocol_version", "it speaks neither TLS 1.2 nor TLS 1.3"),
        Alert::InsufficientSecurity => ("insufficient_security", "it demands stronger ciphers than were offered"),
        Alert::InternalError => ("internal_error", "it met a fault of its own"),
        Alert::InappropriateFallback => ("inappropriate_fallback", "the TLS version was lowered without need"),
        Alert::UserCanceled => ("user_canceled", "it cancelled"),
        Alert::NoRenegotiation => ("no_renegotiation", "it refuses to repeat the handshake"),
        Alert::MissingExtension => ("missing_extension", "an extension that it needs is missing"),
        Alert::UnsupportedExtension => ("unsupported_extension", "it got an extension that it did not ask for"),
        Alert::CertificateUnobtainable => ("certificate_unobtainable", "it could not fetch the client's certificate"),
        Alert::UnrecognisedName => ("unrecognized_name", "it does not know the host name that base_url gives it"),
        Alert::BadCertificateStatusResponse => {
            ("bad_certificate_status_response", "it got a certificate status that is not valid")
        }
        Alert::BadCertificateHashValue => ("bad_certificate_hash_value", "a certificate does not match its hash"),
        Alert::UnknownPSKIdentity => ("unknown_psk_identity", "it does not know the session to be resumed"),
        Alert::CertificateRequired => ("certificate_required", "it demands a client certificate"),
        Alert::NoApplicationProtocol => {
            ("no_application_protocol", "it and this library have no application protocol in common")
        }
        Alert::EncryptedClientHelloRequired => ("ech_required", "it demands an encrypted client hello"),
        _ => return None,
    })
}

/// Why a certificate is not trusted, as the end of a sentence whose "it" is the certificate.
pub(super) fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as Bad;
    match error {
        Bad::ExpiredContext { time, not_after } => format!(
            "it, or a certificate of its chain, expired at {} and this machine's clock says {}. Check the clock; \
             if it is right, the service needs a new certificate",
            utc(*not_after),
            utc(*time)
        ),
        Bad::NotValidYetContext { time, not_before } => format!(
            "it, or a certificate of its chain, is valid from {} on and this machine's clock says {}. Check the clock",
            utc(*not_before),
            utc(*time)
        ),
        Bad::NotValidForNameContext { expected, presented } => wrong_name(&expected.to_str(), presented),
        Bad::Other(error) => of_path_error(&error.to_string()).into(),
        error => of_plain_certificate_error(error).into(),
    }
}

fn of_plain_certificate_error(error: &CertificateError) -> &'static str {
    use CertificateError as Bad;
    match error {
        Bad::BadEncoding => "it is not encoded as certificates are (DER)",
        Bad::Expired => "its time is over by this machine's clock, or its dates contradict each other. Check the clock",
        Bad::NotValidYet => "its time has not begun by this machine's clock. Check the clock",
        Bad::Revoked => "its issuer has revoked it",
        Bad::UnhandledCriticalExtension => "it has a critical extension that this library does not know",
        Bad::UnknownIssuer => {
            "no authority that is trusted here has issued it. Put the certificate of an authority of your own, or of a \
             proxy that intercepts TLS, into ca_file; the service must send its intermediate certificates along"
        }
        Bad::UnknownRevocationStatus | Bad::ExpiredRevocationList | Bad::ExpiredRevocationListContext { .. } => {
            "whether it was revoked cannot be told"
        }
        Bad::BadSignature => {
            "its signature, or that of the handshake, does not match. Another authority issued it than the one of the same \
             name in ca_file, its key is too short (RSA below 2048 bits), or it was damaged or forged"
        }
        Bad::UnsupportedSignatureAlgorithmContext { .. }
        | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => UNSUPPORTED_SIGNATURE,
        #[allow(deprecated)]
        Bad::UnsupportedSignatureAlgorithm => UNSUPPORTED_SIGNATURE,
        Bad::NotValidForName => "it is made out to other hosts than the one in base_url. Check base_url",
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            "it is not made for a server: its extended key usage leaves out server authentication"
        }
        Bad::InvalidOcspResponse => "the status of it that the service sent is not valid",
        _ => "it breaks the rules for certificates",
    }
}

const UNSUPPORTED_SIGNATURE: &str = "it is signed in a way that is not accepted (SHA-1, say, or with a short or unusual \
     key). The service needs one with RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519, and SHA-256 or better";

/// Describes an error from the path building of rustls-webpki. rustls passes it on only as a text, the name of the
/// variant.
fn of_path_error(name: &str) -> &'static str {
    match name {
        "CaUsedAsEndEntity" => {
            "it is the certificate of a certificate authority, used as the server's own. Make the server a certificate for \
             its host, signed by that authority, and put the authority's certificate into ca_file"
        }
        "EndEntityUsedAsCa" => "a certificate of its chain was issued with a certificate that may not issue any",
        "UnsupportedCertVersion" => {
            "it is not of version 3. The service needs one that names its host as subjectAltName"
        }
        "NameConstraintViolation" => "its issuer may not issue certificates for this name",
        "PathLenConstraintViolated" => "its chain has more authorities than the first one of them allows",
        "MaximumPathDepthExceeded"
        | "MaximumPathBuildCallsExceeded"
        | "MaximumSignatureChecksExceeded"
        | "MaximumNameConstraintComparisonsExceeded" => "its chain is too long or too complex to be checked",
        "UnsupportedCriticalExtension" => "it has a critical extension that this library does not know",
        "SignatureAlgorithmMismatch" => "it contradicts itself about how it is signed",
        "EmptyEkuExtension" => "it has an extended key usage that allows nothing",
        "MalformedDnsIdentifier" | "MalformedNameConstraint" => "it holds a malformed host name",
        "MalformedExtensions" | "ExtensionValueInvalid" | "InvalidNetworkMaskConstraint" | "InvalidSerialNumber" => {
            "a field of it is malformed"
        }
        "CertDistrusted" => "its key is distrusted",
        _ => "it breaks the rules for certificates",
    }
}

/// At most so many names of a certificate are shown.
const MOST_NAMES: usize = 5;

fn wrong_name(expected: &str, presented: &[String]) -> String {
    let names: Vec<_> = presented.iter().filter_map(|name| name_of(name)).collect();
    let shown = names[..names.len().min(MOST_NAMES)].join(", ");
    let made_out = match names.len().saturating_sub(MOST_NAMES) {
        _ if names.is_empty() => "names no host".into(),
        0 => format!("is made out to {shown}"),
        more => format!("is made out to {shown} and {more} more"),
    };
    format!("it {made_out}, but the host is {expected}. Check base_url")
}

/// The name in `DnsName("example.com")` or `IpAddress(127.0.0.1)`, the form of rustls-webpki. `None` for other kinds.
fn name_of(presented: &str) -> Option<&str> {
    let dns = presented.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
    let name = dns.or_else(|| presented.strip_prefix("IpAddress(")?.strip_suffix(')'))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*:".contains(&byte);
    (name.len() <= 253 && name.bytes().all(is_plain)).then_some(name)
}

fn of_invalid_message(error: &InvalidMessage) -> &'static str {
    match error {
        InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => "the bytes are not TLS",
        InvalidMessage::CertificatePayloadTooLarge | InvalidMessage::HandshakePayloadTooLarge => {
            "a message of the handshake is larger than 64 KiB"
        }
        InvalidMessage::MessageTooLarge => "a TLS record is larger than TLS allows",
        InvalidMessage::MessageTooShort | InvalidMessage::MissingData(_) => "a TLS message is shorter than it says",
        InvalidMessage::TrailingData(_) => "a TLS message is longer than it says",
        InvalidMessage::UnsupportedCompression
        | InvalidMessage::UnsupportedCurveType
        | InvalidMessage::UnsupportedKeyExchangeAlgorithm(_)
        | InvalidMessage::InvalidDhParams
        | InvalidMessage::MissingKeyExchange
        | InvalidMessage::NoSignatureSchemes => "the service chose a method of TLS that this library does not have",
        _ => "a TLS message is malformed",
    }
}

fn of_incompatible(error: &PeerIncompatible) -> &'static str {
    match error {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => "the service speaks neither TLS 1.2 nor TLS 1.3",
        PeerIncompatible::NoCipherSuitesInCommon
        | PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoEcPointFormatsInCommon
        | PeerIncompatible::UncompressedEcPointsRequired => "the service and this library have no cipher in common",
        PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "the service asks for a client certificate that is signed in a way that this library does not know"
        }
        PeerIncompatible::ExtendedMasterSecretExtensionRequired => {
            "the service lacks the extended master secret (RFC 7627), without which TLS 1.2 is not safe"
        }
        _ => "the service lacks a part of TLS that this library needs",
    }
}

fn of_misbehaved(error: &PeerMisbehaved) -> &'static str {
    match error {
        PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported => {
            "TLS was lowered to version 1.2 though both sides speak 1.3: something on the way may have changed it"
        }
        PeerMisbehaved::TooManyEmptyFragments
        | PeerMisbehaved::TooManyKeyUpdateRequests
        | PeerMisbehaved::TooManyRenegotiationRequests
        | PeerMisbehaved::TooManyWarningAlertsReceived => "the service sent too many TLS messages that carry nothing",
        PeerMisbehaved::IllegalMiddleboxChangeCipherSpec
        | PeerMisbehaved::IllegalTlsInnerPlaintext
        | PeerMisbehaved::KeyEpochWithPendingFragment
        | PeerMisbehaved::MessageInterleavedWithHandshakeMessage => "TLS records came in an order that is not allowed",
        PeerMisbehaved::SelectedUnofferedApplicationProtocol
        | PeerMisbehaved::SelectedUnofferedCertCompression
        | PeerMisbehaved::SelectedUnofferedCipherSuite
        | PeerMisbehaved::SelectedUnofferedCompression
        | PeerMisbehaved::SelectedUnofferedKxGroup
        | PeerMisbehaved::SelectedUnofferedPsk
        | PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme
        | PeerMisbehaved::SignedKxWithWrongAlgorithm
        | PeerMisbehaved::WrongGroupForKeyShare => "the service chose a method of TLS that was not offered",
        _ => "the service broke the rules of TLS",
    }
}

/// Why a PEM file cannot be read, as the end of a sentence whose subject is the file.
pub(super) fn of_pem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "is cut off: an END line is missing",
        pem::Error::IllegalSectionStart { .. } => "has a malformed BEGIN line",
        pem::Error::Base64Decode(_) => "is damaged: what stands between BEGIN and END is not base64",
        _ => "is not a PEM file",
    }
}

fn utc(time: UnixTime) -> String {
    // The limit is the end of the year 9999: certificates and the date format cannot go beyond it.
    let seconds = time.as_secs().min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)).replace("GMT", "UTC")
}

#[cfg(test)]
mod tests;
