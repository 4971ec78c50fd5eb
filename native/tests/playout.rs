//! The jitter buffer on a pretend wire: what it plays, how late, and what a listener would miss.

use offhook_media::dsp::g711::Law;
use offhook_media::rtp::jitter_buffer::{JitterBuffer, Pulled, Pushed, SoundPacket};

const SILENCE: u8 = 0xD5;

/// A packet on its way.
#[derive(Clone, Debug)]
struct Sent {
    arrival_ms: u64,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Octets that tell where on the sender's timeline they are, and are never silent.
fn sound(position: u32, length: u32) -> Vec<u8> {
    (0..length)
        .map(|n| octet(position.wrapping_add(n)))
        .collect()
}

fn octet(position: u32) -> u8 {
    // A-law octets 0x20 to 0x2F and 0xA0 to 0xAF are loud.
    let frame = position / 80;
    (frame % 16) as u8 | 0x20 | if frame / 16 % 2 == 0 { 0x80 } else { 0 }
}

/// A stream of packets of `ms`, each delayed by what `delay` says of its number.
fn stream(first: u32, packets: u32, ms: u32, delay: impl Fn(u32) -> u64) -> Vec<Sent> {
    (0..packets)
        .map(|n| Sent {
            arrival_ms: 1_000 + u64::from(n * ms) + delay(n),
            ssrc: 1,
            sequence: 65_500u16.wrapping_add(n as u16),
            timestamp: first.wrapping_add(n * ms * 8),
            marker: n == 0,
            payload: sound(first.wrapping_add(n * ms * 8), ms * 8),
        })
        .collect()
}

/// What came out, frame by frame.
struct Played {
    buffer: JitterBuffer,
    pulled: Vec<Pulled>,
    frames: Vec<[u8; 160]>,
    pushed: Vec<Pushed>,
    delays: Vec<u32>,
}

impl Played {
    fn count(&self, what: Pulled) -> usize {
        self.pulled.iter().filter(|&&pulled| pulled == what).count()
    }

    fn heard(&self) -> Vec<u8> {
        self.frames
            .iter()
            .flatten()
            .copied()
            .filter(|&octet| octet != SILENCE)
            .collect()
    }

    /// The frames from the first that sounded to the last.
    fn sounding(&self) -> &[Pulled] {
        let frame = |pulled: &Pulled| *pulled == Pulled::Frame;
        let first = self
            .pulled
            .iter()
            .position(frame)
            .expect("something sounded");
        let last = self
            .pulled
            .iter()
            .rposition(frame)
            .expect("something sounded");
        &self.pulled[first..=last]
    }
}

fn play(mut wire: Vec<Sent>, phase_ms: u64) -> Played {
    wire.sort_by_key(|sent| sent.arrival_ms);
    let last = wire.last().map_or(0, |sent| sent.arrival_ms) + 600;
    let mut out = Played {
        buffer: JitterBuffer::new(Law::A),
        pulled: Vec::new(),
        frames: Vec::new(),
        pushed: Vec::new(),
        delays: Vec::new(),
    };
    let mut next = wire.iter().peekable();
    for beat in (1_000 + phase_ms..last).step_by(20) {
        while let Some(sent) = next.next_if(|sent| sent.arrival_ms <= beat) {
            let packet = SoundPacket {
                ssrc: sent.ssrc,
                sequence: sent.sequence,
                timestamp: sent.timestamp,
                marker: sent.marker,
                payload: &sent.payload,
            };
            out.pushed.push(out.buffer.push(&packet, sent.arrival_ms));
        }
        let mut frame = [0; 160];
        out.pulled.push(out.buffer.pull(beat, &mut frame));
        out.frames.push(frame);
        out.delays.push(out.buffer.delay_ms(beat));
    }
    out
}

/// Even chance from 0 to `most`, from a number, so that a wire shakes the same way each time.
fn chance(n: u32, most: u64) -> u64 {
    let mixed = (u64::from(n) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 31) % (most + 1)
}

#[test]
fn a_perfect_wire_plays_everything_whatever_the_packets_and_the_beat() {
    for ms in [10, 20, 30, 40, 60] {
        for phase_ms in [0, 7, 19] {
            let wire = stream(u32::MAX - 4_000, 3_000 / ms, ms, |_| 30);
            let played = play(wire, phase_ms);
            let expected = sound(u32::MAX - 4_000, 24_000);
            assert_eq!(
                played.heard().len() + 160 * played.buffer.statistics().left_out as usize,
                expected.len()
            );
            assert_eq!(
                played.count(Pulled::Missing),
                3,
                "only the end, {ms} ms, phase {phase_ms}"
            );
            assert!(played.buffer.statistics().left_out <= 2);
            assert!(
                played.delays[100] <= 60,
                "{} ms behind with packets of {ms}",
                played.delays[100]
            );
        }
    }
}

#[test]
fn nothing_is_empty_and_not_missing_before_the_stream_begins() {
    let mut buffer = JitterBuffer::new(Law::Mu);
    let mut frame = [0; 160];
    for beat in 0..10 {
        assert_eq!(buffer.pull(beat * 20, &mut frame), Pulled::Empty);
    }
    assert_eq!(frame, [0xFF; 160]);
    assert_eq!((buffer.delay_ms(200), buffer.statistics().missing), (0, 0));
}

#[test]
fn lost_packets_are_missing_where_they_were() {
    let mut wire = stream(0, 200, 20, |_| 30);
    for lost in [150, 100, 99, 50] {
        wire.remove(lost);
    }
    let played = play(wire, 5);
    assert_eq!(
        played
            .sounding()
            .iter()
            .filter(|&&pulled| pulled == Pulled::Missing)
            .count(),
        4
    );
    assert_eq!(
        played
            .sounding()
            .iter()
            .filter(|&&pulled| pulled == Pulled::Empty)
            .count(),
        0
    );
    assert_eq!(
        played.sounding().len() + played.buffer.statistics().left_out as usize,
        200
    );
}

#[test]
fn a_shaking_wire_settles() {
    let wire = stream(7, 3_000, 20, |n| chance(n, 60));
    let played = play(wire, 3);
    let later = &played.pulled[1_000..2_900];
    let missing = later
        .iter()
        .filter(|&&pulled| pulled != Pulled::Frame)
        .count();
    assert!(
        missing * 100 < later.len() * 2,
        "{missing} of {} missing",
        later.len()
    );
    let most = played.delays[1_000..2_900]
        .iter()
        .max()
        .copied()
        .unwrap_or(0);
    assert!(most <= 120, "{most} ms behind");
}

#[test]
fn a_wire_that_calms_down_gets_its_delay_back() {
    let wire = stream(
        7,
        3_000,
        20,
        |n| if n < 1_000 { chance(n, 100) } else { 20 },
    );
    let played = play(wire, 3);
    assert!(
        played.delays[900] >= 80,
        "{} ms while it shook",
        played.delays[900]
    );
    assert!(
        played.delays[2_900] <= 60,
        "{} ms after",
        played.delays[2_900]
    );
}

#[test]
fn a_burst_after_a_stall_is_played_whole() {
    // Packets 100 to 107 are held up and come at once with 107.
    let wire = stream(0, 400, 20, |n| {
        if (100..107).contains(&n) {
            u64::from(107 - n) * 20
        } else {
            0
        }
    });
    let played = play(wire, 5);
    assert_eq!(played.buffer.statistics().late, 0);
    let left_out = played.buffer.statistics().left_out as usize;
    assert_eq!(played.heard().len() + left_out * 160, 400 * 160);
}

#[test]
fn reordered_and_double_packets_are_put_right() {
    let mut wire = stream(0, 200, 20, |n| if n % 10 == 5 { 25 } else { 0 });
    let copies: Vec<Sent> = wire.iter().step_by(7).cloned().collect();
    let doubles = copies.len() as u64;
    wire.extend(copies);
    let played = play(wire, 5);
    let statistics = played.buffer.statistics();
    assert_eq!(statistics.duplicates + statistics.late, doubles);
    let heard = played.heard();
    assert_eq!(heard.len() + statistics.left_out as usize * 160, 200 * 160);
}

#[test]
fn silence_suppression_adds_no_delay() {
    let mut wire = Vec::new();
    let mut sequence = 0u16;
    for spurt in 0..20u32 {
        for n in 0..50u32 {
            let at = spurt * 100 + n;
            wire.push(Sent {
                arrival_ms: 1_000 + u64::from(at) * 20 + chance(at, 10),
                ssrc: 1,
                sequence,
                timestamp: at * 160,
                marker: n == 0,
                payload: sound(at * 160, 160),
            });
            sequence += 1;
        }
    }
    let played = play(wire, 3);
    assert_eq!(
        played.heard().len() + played.buffer.statistics().left_out as usize * 160,
        20 * 50 * 160
    );
    assert!(played.count(Pulled::Empty) > 19 * 40, "silence is no loss");
    for spurt in 2..20 {
        let delay = played.delays[spurt * 100 + 25];
        assert!(delay <= 60, "{delay} ms in spurt {spurt}");
    }
}

#[test]
fn a_short_gap_whose_numbers_go_on_is_silence() {
    let mut wire = stream(0, 100, 20, |_| 0);
    for sent in &mut wire[50..] {
        sent.timestamp += 160;
    }
    let played = play(wire, 3);
    assert_eq!(
        played
            .sounding()
            .iter()
            .filter(|&&pulled| pulled == Pulled::Missing)
            .count(),
        0
    );
}

#[test]
fn timestamps_that_jump_cost_a_packet() {
    for jump in [1_000_000u32, 0u32.wrapping_sub(1_000_000), 8_000] {
        let mut wire = stream(500_000, 400, 20, |_| 10);
        for sent in &mut wire[200..] {
            sent.timestamp = sent.timestamp.wrapping_add(jump);
        }
        let played = play(wire, 3);
        assert_eq!(played.buffer.statistics().restarts, 1, "jump by {jump}");
        let strange = played
            .pushed
            .iter()
            .filter(|&&pushed| pushed == Pushed::Strange)
            .count();
        assert_eq!(strange, 1);
        assert!(
            played.heard().len() >= 393 * 160,
            "{}",
            played.heard().len() / 160
        );
        assert!(played.delays[390] <= 60);
    }
}

#[test]
fn one_strange_packet_is_left_out() {
    let mut wire = stream(500_000, 200, 20, |_| 10);
    wire[100].timestamp = 77;
    let played = play(wire, 3);
    assert_eq!(played.buffer.statistics().restarts, 0);
    assert_eq!(
        played
            .sounding()
            .iter()
            .filter(|&&pulled| pulled == Pulled::Missing)
            .count(),
        1
    );
}

#[test]
fn a_new_source_begins_a_new_timeline() {
    let mut wire = stream(500_000, 200, 20, |_| 10);
    for sent in &mut wire[100..] {
        sent.ssrc = 2;
        sent.timestamp = sent.timestamp.wrapping_mul(77);
    }
    for n in 100..200u32 {
        wire[n as usize].timestamp = 9_000_000 + n * 160;
    }
    let played = play(wire, 3);
    assert_eq!(played.buffer.statistics().restarts, 1);
    assert!(played.pushed.contains(&Pushed::Restarted));
    assert!(played.heard().len() >= 195 * 160);
}

#[test]
fn clocks_that_run_apart_are_kept_together() {
    // 1000 parts in a million for five minutes: 300 ms that must go somewhere.
    for (slower, label) in [(1_001, "slow"), (999, "fast")] {
        let wire: Vec<Sent> = (0..15_000u64)
            .map(|n| Sent {
                arrival_ms: 1_000 + n * 20 * slower / 1_000,
                ssrc: 1,
                sequence: n as u16,
                timestamp: n as u32 * 160,
                marker: n == 0,
                payload: sound(n as u32 * 160, 160),
            })
            .collect();
        let played = play(wire, 3);
        let most = played
            .delays
            .iter()
            .rev()
            .skip(40)
            .take(10_000)
            .max()
            .copied()
            .unwrap_or(0);
        assert!(most <= 80, "{label}: {most} ms behind");
        assert!(
            played.buffer.statistics().missing < 40,
            "{label}: {:?}",
            played.buffer.statistics()
        );
        assert_eq!(played.buffer.statistics().late, 0);
        assert!(
            played.buffer.statistics().left_out <= 18,
            "{label}: {:?}",
            played.buffer.statistics()
        );
    }
}

#[test]
fn the_buffer_stays_bounded_when_nobody_listens() {
    let mut buffer = JitterBuffer::new(Law::A);
    for sent in stream(0, 1_000, 20, |_| 0) {
        let packet = SoundPacket {
            ssrc: 1,
            sequence: sent.sequence,
            timestamp: sent.timestamp,
            marker: false,
            payload: &sent.payload,
        };
        buffer.push(&packet, sent.arrival_ms);
    }
    let mut frame = [0; 160];
    let mut frames = 0;
    while buffer.pull(21_000, &mut frame) == Pulled::Frame {
        frames += 1;
    }
    assert!(frames <= 26, "{frames}");
}

#[test]
fn what_is_no_sound_is_refused_and_a_reset_forgets() {
    let mut buffer = JitterBuffer::new(Law::A);
    let packet = |payload| SoundPacket {
        ssrc: 1,
        sequence: 1,
        timestamp: 1,
        marker: false,
        payload,
    };
    assert_eq!(buffer.push(&packet(&[]), 0), Pushed::Refused);
    assert_eq!(buffer.push(&packet(&[0; 1_400]), 0), Pushed::Refused);
    assert_eq!(buffer.push(&packet(&[0x20; 160]), 0), Pushed::Kept);
    buffer.reset(Law::Mu);
    let mut frame = [0; 160];
    assert_eq!(buffer.pull(100, &mut frame), Pulled::Empty);
    assert_eq!(frame, [0xFF; 160]);
}

#[test]
fn any_order_of_anything_is_survived() {
    let mut buffer = JitterBuffer::new(Law::A);
    let mut frame = [0; 160];
    let payload = [0x20; 960];
    for n in 0..200_000u32 {
        let dice = chance(n, u64::from(u32::MAX)) as u32;
        let packet = SoundPacket {
            ssrc: dice % 2_000 / 1_999,
            sequence: (dice >> 3) as u16,
            timestamp: if dice % 50 == 0 {
                dice
            } else {
                n * 160 + dice % 8_000
            },
            marker: dice % 3 == 0,
            payload: &payload[..(dice % 961) as usize],
        };
        buffer.push(&packet, u64::from(n) * 20);
        buffer.pull(u64::from(n) * 20 + 3, &mut frame);
    }
}
