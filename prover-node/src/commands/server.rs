//! How to serve outputs, as typed: the flags of `run` and `doctor`.

use std::{net::SocketAddr, path::PathBuf};

use alloy::transports::http::reqwest::Url;
use axum_server::tls_rustls::RustlsConfig;
use eyre::{bail, eyre};

use crate::server::Limits;

/// Two addresses: outputs are everybody's, metrics the operator's.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Address to serve outputs at; port 0 takes a free one
    #[arg(long, env = "QUORATE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9700")]
    pub listen: SocketAddr,
    /// URL to announce on chain, where others reach the outputs [default: the listen address]
    #[arg(long, env = "QUORATE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
    /// Certificate chain, PEM: outputs are served over HTTPS. Read once, at the start
    #[arg(long, env = "QUORATE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, env = "QUORATE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Connections to the outputs at once; one address may have a quarter of them
    #[arg(long, env = "QUORATE_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Requests per second from one address; 0 for no limit, as behind a proxy that has its own
    #[arg(long, env = "QUORATE_RATE_LIMIT", value_name = "N", default_value_t = Limits::default().requests_per_second)]
    rate_limit: u32,
    /// Address for /metrics, /ready and /health, which need not be public; port 0 takes a free one
    #[arg(long, env = "QUORATE_METRICS_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9701")]
    pub metrics_listen: SocketAddr,
}

impl ServerArgs {
    /// What is announced, if it is not the listen address.
    #[must_use]
    pub fn public_url(&self) -> Option<String> {
        self.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    /// Of the listen address.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    /// What clients may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { connections: self.max_connections, requests_per_second: self.rate_limit }
    }

    /// The certificate with its key, if there is one.
    pub async fn tls(&self) -> eyre::Result<Option<RustlsConfig>> {
        let (cert, key) = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => (cert, key),
            (None, None) => return Ok(None),
            _ => bail!("--tls-cert and --tls-key go together: a certificate and its private key"),
        };
        let config = RustlsConfig::from_pem_file(cert, key).await;
        config.map(Some).map_err(|error| {
            eyre!(
                "cannot serve over TLS with the certificate {} and the key {}: {error}; both must be PEM files that this user may read",
                cert.display(),
                key.display()
            )
        })
    }
}
