//! The media engine of Offhook. Sessions are pure machines; a few threads own the sockets and the 20 ms wheel.

#![deny(unsafe_code)]

pub mod control;
pub mod disk;
pub mod dsp;
pub mod ports;
pub mod rtp;
pub mod session;
pub mod worker;
