//! Copies: what the seats' nodes serve, as far as it is what they revealed.

use std::{error::Error, io::Cursor, time::Duration};

use alloy::primitives::{Address, B256};
use image::{ImageFormat, ImageReader, Limits, RgbImage};
use oracle::{
    output::{Output, Text},
    spec::Spec,
};
use reqwest::{Client, Url, redirect::Policy};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::Dropped;

/// The largest file that is taken.
const MAX_BYTES: usize = 64 << 20;
/// For one file, from connecting to its last byte.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a seat's copy should be.
pub(super) struct Source {
    pub(super) seat: u32,
    pub(super) operator: Address,
    /// As revealed.
    pub(super) content_hash: B256,
    /// As announced: any text.
    pub(super) endpoint: Option<String>,
}

/// What a copy must be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Width and height, in pixels.
    Picture {
        size: (u32, u32),
    },
    Text,
}

impl Kind {
    fn of(spec: &Spec) -> Self {
        match spec {
            Spec::Image(spec) => Self::Picture { size: (spec.width, spec.height) },
            Spec::Text(_) => Self::Text,
        }
    }
}

/// A seat's output: the very file that it revealed.
pub(super) struct Copy {
    pub(super) seat: u32,
    pub(super) operator: Address,
    pub(super) content_hash: B256,
    /// The file.
    pub(super) bytes: Vec<u8>,
    /// What is in it.
    pub(super) output: Output,
}

/// Why a copy cannot be had.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error("its operator has announced no address")]
    NoEndpoint,
    #[error("{0:?} is not an http or https address")]
    NotHttp(String),
    #[error("{url} cannot be reached: {reason}")]
    Unreachable { url: Url, reason: String },
    #[error("{url} answers {status}")]
    Status { url: Url, status: u16 },
    #[error("{0} sends more than {MAX_BYTES} bytes")]
    TooLarge(Url),
    #[error("the file's sha256 is {0}, not what was revealed")]
    OtherFile(B256),
    #[error("the file is not a PNG: {0}")]
    NotPng(String),
    #[error("the picture is {}x{}, not what was asked for", .0.0, .0.1)]
    OtherSize((u32, u32)),
    #[error("the file is not a text with its tokens: {0}")]
    NotText(#[from] serde_json::Error),
}

/// All at once. What comes back is in the order of the seats, whoever answered first.
pub(super) async fn fetch_all(sources: Vec<Source>, spec: &Spec) -> Result<(Vec<Copy>, Vec<Dropped>), reqwest::Error> {
    let client = Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        // An operator's word ends at its own address.
        .redirect(Policy::none())
        .build()?;
    let mut tasks = JoinSet::new();
    for source in sources {
        let (client, kind) = (client.clone(), Kind::of(spec));
        tasks.spawn(async move {
            let copy = fetch(&client, &source, kind).await;
            (source, copy)
        });
    }

    let (mut copies, mut dropped) = (Vec::new(), Vec::new());
    for (source, fetched) in tasks.join_all().await {
        let Source { seat, operator, content_hash, .. } = source;
        match fetched {
            Ok((bytes, output)) => copies.push(Copy { seat, operator, content_hash, bytes, output }),
            Err(error) => dropped.push(Dropped { seat, operator, reason: error.to_string() }),
        }
    }
    copies.sort_by_key(|copy| copy.seat);
    dropped.sort_by_key(|dropped| dropped.seat);
    Ok((copies, dropped))
}

impl Copy {
    pub(super) fn dropped(&self, reason: &str) -> Dropped {
        Dropped { seat: self.seat, operator: self.operator, reason: reason.to_owned() }
    }
}

async fn fetch(client: &Client, source: &Source, kind: Kind) -> Result<(Vec<u8>, Output), CopyError> {
    let bytes = download(client, url(source)?).await?;
    let actual = B256::from_slice(&Sha256::digest(&bytes));
    if actual != source.content_hash {
        return Err(CopyError::OtherFile(actual));
    }
    let output = match kind {
        Kind::Picture { size } => Output::Picture(decode(&bytes, size)?),
        Kind::Text => Output::Text(serde_json::from_slice::<Text>(&bytes)?),
    };
    Ok((bytes, output))
}

fn url(source: &Source) -> Result<Url, CopyError> {
    let endpoint = source.endpoint.as_deref().filter(|text| !text.is_empty()).ok_or(CopyError::NoEndpoint)?;
    let url = format!("{}/outputs/{}", endpoint.trim_end_matches('/'), source.content_hash);
    let url = Url::parse(&url).map_err(|_| CopyError::NotHttp(endpoint.to_owned()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(CopyError::NotHttp(endpoint.to_owned())),
    }
}

async fn download(client: &Client, url: Url) -> Result<Vec<u8>, CopyError> {
    let unreachable = |error: reqwest::Error| CopyError::Unreachable { url: url.clone(), reason: cause(&error) };
    let mut response = client.get(url.clone()).send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(CopyError::Status { url, status: response.status().as_u16() });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(CopyError::TooLarge(url));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn decode(png: &[u8], size: (u32, u32)) -> Result<RgbImage, CopyError> {
    let not_png = |error: image::ImageError| CopyError::NotPng(error.to_string());
    let reader = || ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    let actual = reader().into_dimensions().map_err(not_png)?;
    if actual != size {
        return Err(CopyError::OtherSize(actual));
    }
    let mut reader = reader();
    reader.limits(Limits::default());
    Ok(reader.decode().map_err(not_png)?.into_rgb8())
}

/// The last cause; reqwest's outer ones only say that sending failed.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn png(image: &RgbImage) -> Vec<u8> {
        let mut png = Vec::new();
        image.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
        png
    }

    #[test]
    fn only_web_addresses_are_asked() {
        let of = |endpoint: &str| {
            let endpoint = Some(endpoint.to_owned());
            url(&Source { seat: 0, operator: Address::ZERO, content_hash: B256::ZERO, endpoint }).map(String::from)
        };

        assert_eq!(of("http://host:1/").unwrap(), format!("http://host:1/outputs/{}", B256::ZERO));
        assert_eq!(of("https://host/a").unwrap(), format!("https://host/a/outputs/{}", B256::ZERO));
        for other in ["file:///etc", "ftp://host", "host", "//host", ""] {
            assert!(of(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_picture_of_another_size_or_kind_is_refused() {
        let image = RgbImage::new(8, 4);

        assert_eq!(decode(&png(&image), (8, 4)).unwrap(), image);
        assert!(matches!(decode(&png(&image), (4, 8)), Err(CopyError::OtherSize((8, 4)))));
        assert!(matches!(decode(b"GIF89a", (8, 4)), Err(CopyError::NotPng(_))));
        assert!(matches!(decode(&png(&image)[..40], (8, 4)), Err(CopyError::NotPng(_))));
    }
}
