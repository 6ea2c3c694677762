//! Edits: what a user sees of them, and a corpus of real changes, damaged as models damage them.

mod command;
mod corpus;
mod damage;
mod pairs;
