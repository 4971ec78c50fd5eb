//! The two threads that touch the disk: one reads prepared sound, one writes recordings. No other thread ever does.

pub mod loader;
pub mod prepared;
pub mod recorder;
