//! What the wallet keeps in the journal: what it is to send, and all that it has sent.

use alloy::primitives::U256;
use sqlx::{FromRow, Row, any::AnyRow};

use super::{
    Journal, Result,
    rows::{address, hash, small},
};
use crate::{
    job::RoundKey,
    wallet::{Call, Fees, Intent, Purpose, Sent, Step},
};

impl Journal {
    /// All that was under way, or not deep in the chain, by number.
    pub async fn intents(&self) -> Result<Vec<(i64, Intent)>> {
        let select = sqlx::query_as("SELECT * FROM intents ORDER BY intent");
        let rows: Vec<IntentRow> = self.done(select.fetch_all(&self.database)).await?;
        Ok(rows.into_iter().map(|IntentRow(id, intent)| (id, intent)).collect())
    }

    /// The transactions that were sent for them, oldest first.
    pub async fn sent(&self) -> Result<Vec<Sent>> {
        let select = sqlx::query_as("SELECT * FROM broadcasts ORDER BY rowid");
        self.done(select.fetch_all(&self.database)).await
    }

    /// To be called before it is broadcast, with what it is for.
    pub async fn put_sent(&self, sent: &Sent, intent: Option<&Intent>) -> Result<()> {
        let mut transaction = self.done(self.database.begin()).await?;
        if let Some(Intent { purpose, call, deadline }) = intent {
            let insert = sqlx::query(
                "INSERT INTO intents VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (intent) DO UPDATE SET deadline = excluded.deadline",
            )
            .bind(sent.intent)
            .bind(purpose.step.name())
            .bind(purpose.round.map(|round| round.job.to_vec()))
            .bind(purpose.round.map(|round| i64::from(round.number)))
            .bind(purpose.seat.map(i64::from))
            .bind(call.to.as_slice())
            .bind(call.data.as_ref())
            .bind(call.value.to_be_bytes::<32>().to_vec())
            .bind(i64::try_from(*deadline).unwrap_or(i64::MAX));
            self.done(insert.execute(&mut *transaction)).await?;
        }
        let insert = sqlx::query("INSERT INTO broadcasts VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING")
            .bind(sent.hash.as_slice())
            .bind(sent.nonce.cast_signed())
            .bind(sent.intent)
            .bind(sent.gas.cast_signed())
            .bind(i64::try_from(sent.fees.most).unwrap_or(i64::MAX))
            .bind(i64::try_from(sent.fees.tip).unwrap_or(i64::MAX));
        self.done(insert.execute(&mut *transaction)).await?;
        self.done(transaction.commit()).await
    }

    /// What was sent with this nonce, or a lower one, is deep in the chain.
    pub async fn forget_sent(&self, nonce: u64) -> Result<()> {
        let mut transaction = self.done(self.database.begin()).await?;
        let delete = sqlx::query("DELETE FROM broadcasts WHERE nonce <= $1").bind(nonce.cast_signed());
        self.done(delete.execute(&mut *transaction)).await?;
        let delete = sqlx::query(
            "DELETE FROM intents WHERE intent NOT IN (SELECT intent FROM broadcasts WHERE intent IS NOT NULL)",
        );
        self.done(delete.execute(&mut *transaction)).await?;
        self.done(transaction.commit()).await
    }
}

struct IntentRow(i64, Intent);

impl FromRow<'_, AnyRow> for IntentRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let name: &str = row.try_get("step")?;
        let step = Step::named(name).ok_or_else(|| sqlx::Error::Decode(format!("no step is called {name}").into()))?;
        let given = |column| row.try_get::<Option<i64>, _>(column).map(|number| number.is_some());
        let round = given("number")?.then(|| RoundKey::from_row(row)).transpose()?;
        let seat = given("seat")?.then(|| small(row, "seat")).transpose()?;
        let purpose = Purpose { step, round, seat };
        let value = U256::try_from_be_slice(row.try_get("value")?).unwrap_or_default();
        let call = Call { to: address(row, "target")?, data: row.try_get::<Vec<u8>, _>("data")?.into(), value };
        let deadline = row.try_get::<i64, _>("deadline")?.cast_unsigned();
        Ok(Self(row.try_get("intent")?, Intent { purpose, call, deadline }))
    }
}

impl FromRow<'_, AnyRow> for Sent {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let number = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        Ok(Self {
            hash: hash(row, "hash")?,
            nonce: number("nonce")?,
            intent: row.try_get("intent")?,
            gas: number("gas")?,
            fees: Fees { most: number("most")?.into(), tip: number("tip")?.into() },
        })
    }
}
