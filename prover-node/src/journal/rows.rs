//! Rows of the journal as the types that they hold.

use alloy::{
    primitives::{Address, B256},
    sol_types::SolValue,
};
use oracle::{
    chain::{IGenerationOracle::Job, Request},
    commitment::Opening,
    digest::Digest,
};
use sqlx::{FromRow, Row, any::AnyRow};

use super::Owner;
use crate::job::{DrawKey, RoundKey, Seat, Vote};

impl FromRow<'_, AnyRow> for Owner {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            chain_id: row.try_get::<i64, _>("chain_id")?.cast_unsigned(),
            genesis: hash(row, "genesis")?,
            oracle: address(row, "oracle")?,
            operator: address(row, "operator")?,
        })
    }
}

impl FromRow<'_, AnyRow> for RoundKey {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { job: hash(row, "job")?, number: small(row, "number")? })
    }
}

impl FromRow<'_, AnyRow> for DrawKey {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { job: hash(row, "job")?, number: small(row, "number")?, seed: hash(row, "seed")? })
    }
}

/// A request is another crate's.
pub(super) struct RequestRow(pub(super) Request);

impl FromRow<'_, AnyRow> for RequestRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let (spec, block) = (from_json(row.try_get("spec")?)?, row.try_get::<i64, _>("block")?.cast_unsigned());
        let job = Job::abi_decode(row.try_get("fixed")?).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self(Request { id: hash(row, "job")?, job, spec, block }))
    }
}

/// What a draw has besides its key and seats.
pub(super) struct DrawRow {
    pub(super) noise_seed: B256,
    pub(super) deadline: u64,
}

impl FromRow<'_, AnyRow> for DrawRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let deadline = row.try_get::<i64, _>("deadline")?.cast_unsigned();
        Ok(Self { noise_seed: hash(row, "noise")?, deadline })
    }
}

impl FromRow<'_, AnyRow> for Seat {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { number: small(row, "seat")?, member: small(row, "member")? })
    }
}

impl FromRow<'_, AnyRow> for Vote {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let digest = Digest::from(hash(row, "digest")?);
        let opening = Opening { digest, content_hash: hash(row, "content_hash")?, salt: hash(row, "salt")? };
        Ok(Self { seat: Seat::from_row(row)?, opening })
    }
}

pub(super) type QueryAs<'q, T> = sqlx::query::QueryAs<'q, sqlx::Any, T, sqlx::any::AnyArguments>;

pub(super) fn bind<T>(query: QueryAs<'_, T>, key: DrawKey) -> QueryAs<'_, T> {
    query.bind(key.job.to_vec()).bind(i64::from(key.number)).bind(key.seed.to_vec())
}

/// A number that is wider in the journal.
pub(super) fn small<T: TryFrom<i64>>(row: &AnyRow, column: &str) -> sqlx::Result<T> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| sqlx::Error::Decode(format!("{number} is no {column}").into()))
}

pub(super) fn hash(row: &AnyRow, column: &str) -> sqlx::Result<B256> {
    B256::try_from(row.try_get::<&[u8], _>(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn address(row: &AnyRow, column: &str) -> sqlx::Result<Address> {
    Address::try_from(row.try_get::<&[u8], _>(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
