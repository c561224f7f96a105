//! The tables, and how an older program's become ours.

use deadpool_postgres::ClientWrapper;

use super::{column, number, patiently};
use crate::store::Opening;
use crate::value::{Failed, StoreError};

/// Which tables there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// How many migrations they have had.
    pub(super) number: i64,
    /// The oldest program that may use them.
    min_compatible: i64,
}

/// The lock is let go with the transaction; its number is `wa-integ` in ASCII.
const LOCK: &str = "
SET LOCAL statement_timeout = 0;
SELECT pg_advisory_xact_lock(8602206694102295911);
";
const BEGIN: &str = "
CREATE SCHEMA IF NOT EXISTS wa_integrator;
CREATE TABLE IF NOT EXISTS wa_integrator.version (number BIGINT NOT NULL);
INSERT INTO wa_integrator.version SELECT 0 WHERE NOT EXISTS (SELECT FROM wa_integrator.version);
";

/// Forward only; tables of version N have had the first N.
const MIGRATIONS: [&str; 2] = [include_str!("migrations/1.sql"), include_str!("migrations/2.sql")];
/// The oldest program that can go on with the tables of this one: it knows of [`BEHIND_MIN`] migrations.
const MIN_COMPATIBLE: i64 = 1;
/// The oldest tables that this program can use.
const BEHIND_MIN: i64 = 2;

/// The version of the tables that this program makes.
pub(super) fn known() -> i64 {
    number(MIGRATIONS.len() as u64)
}

/// Does with the tables what `opening` says: one server at a time, all of it or nothing.
pub(super) async fn open(client: &mut ClientWrapper, opening: Opening) -> Result<(), Failed> {
    let found = version(client).await?;
    // Most starts find everything done, and need no right to make anything.
    match (found, opening) {
        (Some(found), _) if found.number >= known() => return Ok(found.check()?),
        (Some(found), Opening::Existing | Opening::Serve) if found.number > 0 => return Ok(found.check()?),
        (_, Opening::Existing) => {
            return Err(
                StoreError::Absent { place: "schema wa_integrator of the database".to_owned() }.into()
            );
        }
        _ => {}
    }
    let transaction = patiently(client.transaction()).await?;
    transaction.batch_execute(LOCK).await?;
    let encoding = patiently(transaction.query_one("SELECT current_setting('server_encoding')", &[])).await?;
    if column::<&str>(&encoding, 0)? != "UTF8" {
        return Err(StoreError::Encoding.into());
    }
    transaction.batch_execute(BEGIN).await?;
    // Somebody may have been first.
    let row = patiently(transaction.query_one("SELECT number FROM wa_integrator.version", &[])).await?;
    let found: i64 = column(&row, 0)?;
    let done = usize::try_from(found).map_err(|_| StoreError::Version { found })?;
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.batch_execute(migration).await?;
    }
    let note = "UPDATE wa_integrator.version SET number = $1, min_compatible = $2 WHERE number < $1";
    patiently(transaction.execute(note, &[&known(), &MIN_COMPATIBLE])).await?;
    Ok(patiently(transaction.commit()).await?)
}

/// The version of the tables; `None` where there are none.
pub(super) async fn version(client: &ClientWrapper) -> Result<Option<Version>, StoreError> {
    let there = "SELECT to_regclass('wa_integrator.version') IS NOT NULL";
    if !column::<bool>(&patiently(client.query_one(there, &[])).await?, 0)? {
        return Ok(None);
    }
    // The first tables did not say who may use them.
    let row = patiently(client.query_opt(
        "SELECT number, coalesce((to_jsonb(version) ->> 'min_compatible')::bigint, number)
         FROM wa_integrator.version",
        &[],
    ))
    .await?;
    row.map(|row| Ok(Version { number: column(&row, 0)?, min_compatible: column(&row, 1)? })).transpose()
}

impl Version {
    /// Whether this program may use them as they are.
    fn check(self) -> Result<(), StoreError> {
        if self.number < BEHIND_MIN {
            return Err(StoreError::Behind { found: self.number, needed: known() });
        }
        if self.number > known() && self.min_compatible > known() {
            return Err(StoreError::Version { found: self.number });
        }
        Ok(())
    }
}
