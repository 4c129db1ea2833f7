//! A Postgres database that several machines share. Its URL may hold a password, and is never shown whole.

use std::{fmt, str::FromStr};

use reqwest::Url;
use sqlx::{any::AnyConnectOptions, postgres::PgConnectOptions};

/// Where a database is, as it was typed: what is wrong with it is said without showing it.
#[derive(Clone, PartialEq, Eq)]
pub struct Database(String);

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// Postgres database that takes the place of the journal's file, for a fleet: postgres://USER:PASSWORD@HOST/NAME.
    /// Better set as QUORATE_DATABASE than typed, for others on the machine see what is typed [default: a file in the
    /// data directory]
    #[arg(long, env = "QUORATE_DATABASE", value_name = "URL", hide_env_values = true, hide_default_value = true)]
    pub database: Option<Database>,
}

/// What was typed is no URL of a Postgres database.
#[derive(Debug, thiserror::Error)]
#[error(
    "--database (or QUORATE_DATABASE) takes a URL such as postgres://USER:PASSWORD@HOST/NAME, and this is none: {0}"
)]
pub struct DatabaseError(String);

impl From<String> for Database {
    fn from(typed: String) -> Self {
        Self(typed)
    }
}

impl Database {
    fn url(&self) -> Result<Url, DatabaseError> {
        let url = self.0.parse::<Url>().map_err(|error| DatabaseError(error.to_string()))?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(url),
            other => Err(DatabaseError(format!("it begins with {other}:"))),
        }
    }

    /// For the journal, which speaks to SQLite and Postgres alike.
    pub fn any(&self) -> Result<AnyConnectOptions, DatabaseError> {
        AnyConnectOptions::from_str(self.url()?.as_str()).map_err(|_| DatabaseError("it cannot be read".to_owned()))
    }

    /// For what is Postgres' own.
    pub fn postgres(&self) -> Result<PgConnectOptions, DatabaseError> {
        let options = PgConnectOptions::from_str(self.url()?.as_str());
        options.map_err(|_| DatabaseError("it cannot be read".to_owned()))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = self.url() else { return f.write_str("the database") };
        write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
    }
}

/// As [`fmt::Display`]: the password is in it.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for typed in [
            "postgres://quorate:hunter2@db.example:5433/fleet?sslmode=require&password=hunter2",
            "postgres://quorate:hunter2@",
            "quorate:hunter2@db.example",
            "postgres://quorate:hunter2@db.example:port/fleet",
        ] {
            let database = Database::from(typed.to_owned());
            let wrong = database.postgres().map_or_else(|error| error.to_string(), |_| String::new());
            let shown = format!("{database} {database:?} {wrong}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let database = Database::from("postgres://quorate:hunter2@db.example:5433/fleet".to_owned());
        assert_eq!(database.to_string(), "postgres://db.example:5433/fleet");
    }

    #[test]
    fn another_kind_of_database_is_refused() {
        assert!(Database::from("mysql://db.example/fleet".to_owned()).any().is_err());
        assert!(Database::from("postgresql://db.example/fleet".to_owned()).any().is_ok());
    }
}
