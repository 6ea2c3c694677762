//! One generation.
