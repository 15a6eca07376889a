//! Durables.
