//! The price table.

use greenroom_protocol::credits::Price;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Letters of a table's hash that make its version.
const VERSION_LEN: usize = 8;

/// Prices by model. Its version is a hash of its rows: another table has another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    rows: Vec<Price>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// It has another form.
    #[error(
        "{row:?} is no price; write MODEL INPUT OUTPUT or MODEL INPUT OUTPUT CACHED, in \
         micro-credits a million tokens"
    )]
    Malformed {
        /// The row.
        row: String,
    },
    /// No row says what other models cost.
    #[error("no row is for all other models; add one whose model is *")]
    NoDefault,
}

impl Prices {
    /// Reads a table: `MODEL INPUT OUTPUT [CACHED]`, micro-credits a million tokens. A model that
    /// ends in `*` means all whose names begin so; the row of the longest such name counts.
    ///
    /// # Errors
    /// [`PriceError`].
    pub fn read<S: AsRef<str>>(rows: &[S]) -> Result<Self, PriceError> {
        let read = |row: &S| {
            let row = row.as_ref();
            read_row(row).ok_or_else(|| PriceError::Malformed { row: row.to_owned() })
        };
        let mut rows: Vec<Price> = rows.iter().map(read).collect::<Result<_, _>>()?;
        if !rows.iter().any(|row| row.model == "*") {
            return Err(PriceError::NoDefault);
        }
        // Exact names first, then longer beginnings before shorter ones.
        rows.sort_by_key(|row| (row.model.ends_with('*'), std::cmp::Reverse(row.model.len())));
        let version = version(&rows);
        rows.iter_mut().for_each(|row| row.version.clone_from(&version));
        Ok(Self { rows })
    }

    /// The price of a model.
    #[must_use]
    pub fn of(&self, model: &str) -> Price {
        let fits = |row: &&Price| match row.model.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => row.model == model,
        };
        // There always is a row for all models: `read` sees to it.
        let found = self.rows.iter().find(fits).cloned().unwrap_or_default();
        Price { model: model.to_owned(), ..found }
    }
}

fn read_row(row: &str) -> Option<Price> {
    let mut parts = row.split_whitespace();
    let model = parts.next()?.to_owned();
    let input = parts.next()?.parse().ok()?;
    let output = parts.next()?.parse().ok()?;
    let cached = parts.next().map_or(Some(input), |cached| cached.parse().ok())?;
    let price = Price { version: String::new(), model, input, cached, output };
    parts.next().is_none().then_some(price)
}

fn version(rows: &[Price]) -> String {
    let mut text = String::new();
    for Price { model, input, cached, output, .. } in rows {
        let _ = writeln!(text, "{model} {input} {cached} {output}"); // a String takes all
    }
    let mut hex = String::new();
    for byte in Sha256::digest(text) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(VERSION_LEN);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_price_of_its_name_or_of_the_longest_beginning() {
        let prices = Prices::read(&["* 1 2", "gpt-* 3 4", "gpt-4* 5 6 1", "gpt-4o 7 8"]).unwrap();
        for (model, input, cached, output) in
            [("x", 1, 1, 2), ("gpt-3", 3, 3, 4), ("gpt-4-mini", 5, 1, 6), ("gpt-4o", 7, 7, 8)]
        {
            let price = prices.of(model);
            assert_eq!((price.input, price.cached, price.output), (input, cached, output));
            assert_eq!(price.model, model);
        }
    }

    #[test]
    fn another_table_has_another_version_and_the_order_of_rows_is_none_of_it() {
        let version = |rows: &[&str]| Prices::read(rows).unwrap().of("x").version;
        assert_eq!(version(&["* 1 2", "a 3 4"]), version(&["a 3 4", "* 1 2"]));
        assert_ne!(version(&["* 1 2"]), version(&["* 1 3"]));
        assert_eq!(version(&["* 1 2"]).len(), VERSION_LEN);
    }

    #[test]
    fn a_row_that_is_no_price_is_named() {
        for row in ["", "m", "m 1", "m 1 x", "m 1 -2", "m 1 2 3 4"] {
            let refused = Prices::read(&["* 1 2", row]);
            assert_eq!(refused, Err(PriceError::Malformed { row: row.to_owned() }));
        }
        assert_eq!(Prices::read(&["m 1 2"]), Err(PriceError::NoDefault));
    }
}
