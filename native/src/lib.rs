//! The media engine of Offhook. Sessions are pure machines; a few threads own the sockets and the 20 ms wheel.

pub mod dsp;
pub mod rtp;
