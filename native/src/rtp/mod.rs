//! RTP and what belongs to it (RFC 3550, RFC 4733): packets, sources, playout, keys as events, reports.
//!
//! Everything here is pure: bytes, times in milliseconds and chance go in. What the network sent never panics.

#![forbid(unsafe_code)]

mod delay_target;
pub mod jitter_buffer;
pub mod latch;
pub mod packet;
pub mod quality;
pub mod rtcp;
pub mod rtcp_stats;
mod sound_ring;
pub mod source;
pub mod telephone_event;
pub mod telephone_event_send;
