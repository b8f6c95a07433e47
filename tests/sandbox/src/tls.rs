//! TLS: a certificate authority made at start, and its certificates, valid and invalid.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Which versions of TLS are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TlsVersion {
    /// Only 1.2.
    #[value(name = "1.2")]
    Tls12,
    /// Only 1.3.
    #[value(name = "1.3")]
    Tls13,
    /// 1.2 and 1.3.
    #[default]
    #[value(name = "any")]
    Any,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// It has expired.
    Expired,
    /// It names another host.
    WrongHost,
    /// It is self-signed.
    Untrusted,
}

/// Any failure to make or write a certificate.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A certificate authority that lives as long as the sandbox.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Where its certificate can be read.
    pub file: PathBuf,
    /// Our own directory, removed at the end.
    directory: Option<PathBuf>,
}

impl Authority {
    /// Makes an authority and writes its certificate to `file`, or into a fresh temporary directory.
    pub fn create(file: Option<&Path>) -> Result<Authority, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "UserEngage sandbox CA (do not trust)");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let (file, directory) = match file {
            Some(file) => (file.to_owned(), None),
            None => {
                let directory =
                    std::env::temp_dir().join(format!("ue-sandbox-{}-{:08x}", std::process::id(), fastrand::u32(..)));
                std::fs::create_dir(&directory)?;
                (directory.join("ca.pem"), Some(directory))
            }
        };
        let text = issuer.pem();
        std::fs::write(&file, text)
            .map_err(|error| format!("the CA cannot be written to {}: {error}", file.display()))?;
        Ok(Authority { issuer, file, directory })
    }

    /// Makes a certificate and an acceptor for connections with it.
    pub fn acceptor(&self, flaw: Flaw, version: TlsVersion) -> Result<TlsAcceptor, Failure> {
        let names: &[&str] =
            if flaw == Flaw::WrongHost { &["wrong.example"] } else { &["localhost", "127.0.0.1", "::1"] };
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "UserEngage sandbox");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        if flaw == Flaw::Expired {
            params.not_before = rcgen::date_time_ymd(2019, 1, 1);
            params.not_after = rcgen::date_time_ymd(2019, 12, 31);
        } else {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2099, 12, 31);
        }
        let key = KeyPair::generate()?;
        let certificate = match flaw {
            Flaw::Untrusted => params.self_signed(&key)?,
            _ => params.signed_by(&key, &self.issuer)?,
        };
        let versions: &[&rustls::SupportedProtocolVersion] = match version {
            TlsVersion::Tls12 => &[&rustls::version::TLS12],
            TlsVersion::Tls13 => &[&rustls::version::TLS13],
            TlsVersion::Any => rustls::ALL_VERSIONS,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}
