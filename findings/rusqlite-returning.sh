#!/usr/bin/env bash
# rusqlite 0.37.0 (SQLite 3.50.2): `query_row` on `UPDATE … RETURNING` says yes to a change that was
# not made.
#
# The row comes from the first step of the statement, the commit behind it. `query_row` stops at the
# row and drops the statement, and an error of that last move is dropped with it. A full disk shows
# so; here it is a foreign key that is checked at the commit. Whoever asks for the rows one by one, to
# the end, gets the error.
#
# Seen on 2026-11-28: query_row gives 1, the table still has 0; rows to the end: FOREIGN KEY
# constraint failed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "returning"
version = "0.0.0"
edition = "2024"

[dependencies]
rusqlite = { version = "=0.37.0", features = ["bundled"] }
TOML
cat > src/main.rs <<'RUST'
use rusqlite::{Connection, Result};

const TABLES: &str = "PRAGMA foreign_keys = ON;
    CREATE TABLE job (taken INTEGER);
    INSERT INTO job VALUES (0);
    CREATE TABLE one (id INTEGER PRIMARY KEY);
    CREATE TABLE other (id INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER no_commit AFTER UPDATE ON job BEGIN INSERT INTO other VALUES (1); END;";
const TAKE: &str = "UPDATE job SET taken = taken + 1 RETURNING taken";

fn to_the_end(database: &Connection) -> Result<i64> {
    let mut statement = database.prepare(TAKE)?;
    let mut rows = statement.query([])?;
    let taken = rows.next()?.expect("a row").get(0)?;
    while rows.next()?.is_some() {}
    Ok(taken)
}

fn main() -> Result<()> {
    let database = Connection::open_in_memory()?;
    database.execute_batch(TABLES)?;
    println!("SQLite {}", rusqlite::version());
    let said: i64 = database.query_row(TAKE, [], |row| row.get(0))?;
    let kept: i64 = database.query_row("SELECT taken FROM job", [], |row| row.get(0))?;
    println!("query_row gives {said}, the table has {kept}");
    let refused = to_the_end(&database).expect_err("the commit fails");
    println!("rows to the end: {refused}");
    assert_eq!((said, kept), (1, 0));
    assert!(refused.to_string().contains("FOREIGN KEY"));
    Ok(())
}
RUST
cargo run --quiet
echo 'as described: query_row of rusqlite 0.37.0 does not tell that the change was not committed'
