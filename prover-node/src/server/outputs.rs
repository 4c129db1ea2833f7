//! Outputs: a published file, whole or in part, by its content hash. A file never changes: its name is its hash.

use std::ops::RangeInclusive;

use alloy::primitives::B256;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use headers::{ETag, HeaderMapExt as _, IfNoneMatch, IfRange};
use http_range_header::{RangeUnsatisfiableError, parse_range_header};
use tracing::warn;

use super::Shelf;
use crate::output::File;

/// What is wanted of a file.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// These bytes of it.
    Bytes(RangeInclusive<u64>),
    /// Bytes that it does not have.
    Outside,
}

/// Answers `GET /outputs/{hash}` and `HEAD`: ranges and conditions as RFC 9110 has them.
pub(super) async fn output(State(shelf): State<Shelf>, Path(name): Path<String>, asked: HeaderMap) -> Response {
    let Ok(hash) = without_extension(&name).parse::<B256>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match published(&shelf, hash).await {
        Ok(Some(file)) => answer(&file, &asked),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            warn!(%error, "cannot serve an output");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Which browsers like to see.
fn without_extension(name: &str) -> &str {
    name.split_once('.').map_or(name, |(name, _)| name)
}

/// Nothing is shown before our own reveal is confirmed: whoever saw it earlier could commit to it.
async fn published(shelf: &Shelf, hash: B256) -> eyre::Result<Option<File>> {
    if !shelf.journal.is_published(hash).await? {
        return Ok(None);
    }
    Ok(shelf.outputs.get(hash).await?)
}

fn answer(file: &File, asked: &HeaderMap) -> Response {
    let quoted = format!("\"{:#x}\"", file.content_hash());
    let headers = [
        (header::CONTENT_TYPE, file.format().media_type()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::ETAG, quoted.as_str()),
    ];
    let size = file.bytes().len() as u64;
    let etag = quoted.parse::<ETag>().ok();
    let known = asked.typed_get::<IfNoneMatch>().zip(etag.as_ref());
    if known.is_some_and(|(condition, etag)| !condition.precondition_passes(etag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }

    match part(asked, etag.as_ref(), size) {
        Part::Whole => (headers, file.bytes().clone()).into_response(),
        Part::Bytes(range) => {
            let (first, last) = (*range.start(), *range.end());
            let bytes = file.bytes().slice(first as usize..=last as usize);
            let what = [(header::CONTENT_RANGE, format!("bytes {first}-{last}/{size}"))];
            (StatusCode::PARTIAL_CONTENT, headers, what, bytes).into_response()
        }
        Part::Outside => {
            let what = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, what).into_response()
        }
    }
}

/// Several ranges at once, and what is no range, get the whole, as RFC 9110 allows; so does a part of another file.
fn part(asked: &HeaderMap, etag: Option<&ETag>, size: u64) -> Part {
    let Some(range) = asked.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Part::Whole };
    if asked.typed_get::<IfRange>().is_some_and(|condition| condition.is_modified(etag, None)) {
        return Part::Whole;
    }
    match parse_range_header(range).and_then(|ranges| ranges.validate(size)).as_deref() {
        Ok([range]) => Part::Bytes(range.clone()),
        Err(RangeUnsatisfiableError::Unsatisfiable) => Part::Outside,
        _ => Part::Whole,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn part_of(range: &str) -> Part {
        let asked = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
        part(&asked, None, 100)
    }

    #[test]
    fn one_range_is_cut_to_what_there_is() {
        assert_eq!(part_of("bytes=0-9"), Part::Bytes(0..=9));
        assert_eq!(part_of("bytes=90-"), Part::Bytes(90..=99));
        assert_eq!(part_of("bytes=-10"), Part::Bytes(90..=99));
        assert_eq!(part_of("bytes=-1000"), Part::Bytes(0..=99));
        assert_eq!(part_of("bytes=50-1000"), Part::Bytes(50..=99));
    }

    #[test]
    fn a_range_outside_is_refused_and_what_is_no_range_ignored() {
        assert_eq!(part_of("bytes=100-"), Part::Outside);
        assert_eq!(part_of("bytes=-0"), Part::Outside);
        assert_eq!(part_of("bytes=9-0"), Part::Whole);
        assert_eq!(part_of("bytes=0-1,5-6"), Part::Whole);
        assert_eq!(part_of("lines=0-1"), Part::Whole);
        assert_eq!(part_of("bytes=99999999999999999999999-"), Part::Outside);
    }

    #[test]
    fn a_part_of_a_file_that_has_changed_is_not_given() {
        let etag = "\"0x01\"".parse().unwrap();
        let asked = |condition: &str| {
            HeaderMap::from_iter([
                (header::RANGE, "bytes=0-9".parse().unwrap()),
                (header::IF_RANGE, condition.parse().unwrap()),
            ])
        };

        assert_eq!(part(&asked("\"0x01\""), Some(&etag), 100), Part::Bytes(0..=9));
        assert_eq!(part(&asked("\"0x02\""), Some(&etag), 100), Part::Whole);
        assert_eq!(part(&asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(&etag), 100), Part::Whole);
    }
}
