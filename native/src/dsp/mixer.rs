//! Mixing many parties: one sum of all, and each hears the sum without itself.
//!
//! The sum is 32 bits wide and only what a party hears is cut to 16, so that loud parties do not distort each other's
//! subtraction. Work is one addition and one subtraction per sample and party; a tick allocates nothing.

use super::FRAME_SAMPLES;

/// Parties in one mixer at most; far inside what 32 bits can sum (65,536 times full scale).
pub const MAX_PARTIES: usize = 4_096;

/// A mixer for parties with numbers 0 to `capacity - 1`.
///
/// Each tick: [`begin`](Mixer::begin), [`add`](Mixer::add) for each who speaks, [`hear`](Mixer::hear) for each who
/// listens. A party that was not added (muted, silent, late) is not in the sum and hears all of it.
#[derive(Debug, Clone)]
pub struct Mixer {
    sum: [i32; FRAME_SAMPLES],
    spoken: Vec<Option<[i16; FRAME_SAMPLES]>>,
    speakers: usize,
}

impl Mixer {
    /// A mixer with room for `capacity` parties, cut to [`MAX_PARTIES`].
    pub fn new(capacity: usize) -> Self {
        Self {
            sum: [0; FRAME_SAMPLES],
            spoken: vec![None; capacity.min(MAX_PARTIES)],
            speakers: 0,
        }
    }

    /// How many parties there is room for.
    pub fn capacity(&self) -> usize {
        self.spoken.len()
    }

    /// Makes room for `capacity` parties (the only call that allocates); drops what this tick had gathered.
    pub fn resize(&mut self, capacity: usize) {
        self.spoken.clear();
        self.spoken.resize(capacity.min(MAX_PARTIES), None);
        self.sum = [0; FRAME_SAMPLES];
        self.speakers = 0;
    }

    /// Starts a tick with silence from everyone.
    pub fn begin(&mut self) {
        self.sum = [0; FRAME_SAMPLES];
        self.speakers = 0;
        self.spoken.fill(None);
    }

    /// Adds what a party says in this tick; said twice, the later frame stands. False if there is no such party.
    pub fn add(&mut self, party: usize, frame: &[i16; FRAME_SAMPLES]) -> bool {
        let Some(slot) = self.spoken.get_mut(party) else {
            return false;
        };
        match slot.replace(*frame) {
            Some(earlier) => subtract(&mut self.sum, &earlier),
            None => self.speakers += 1,
        }
        for (sum, &sample) in self.sum.iter_mut().zip(frame) {
            *sum += i32::from(sample);
        }
        true
    }

    /// Writes what a party hears: everyone but itself. A party without a number hears everyone, as a recorder does.
    ///
    /// False, with silence in `out`, when nobody else spoke: the caller may then send nothing or comfort noise.
    pub fn hear(&self, party: usize, out: &mut [i16; FRAME_SAMPLES]) -> bool {
        let own = self.spoken.get(party).and_then(Option::as_ref);
        let others = self.speakers - usize::from(own.is_some());
        match own {
            _ if others == 0 => out.fill(0),
            Some(own) => {
                for ((out, &sum), &own) in out.iter_mut().zip(&self.sum).zip(own) {
                    *out = saturate(sum - i32::from(own));
                }
            }
            None => self.total(out),
        }
        others > 0
    }

    /// Writes the sum of everyone, for a recording of the room.
    pub fn total(&self, out: &mut [i16; FRAME_SAMPLES]) {
        for (out, &sum) in out.iter_mut().zip(&self.sum) {
            *out = saturate(sum);
        }
    }

    /// How many parties spoke in this tick.
    pub fn speakers(&self) -> usize {
        self.speakers
    }
}

/// Adds `other` into `frame` in place, saturating: two parties in one channel, without a mixer.
pub fn mix_into(frame: &mut [i16], other: &[i16]) {
    for (sample, &added) in frame.iter_mut().zip(other) {
        *sample = sample.saturating_add(added);
    }
}

fn subtract(sum: &mut [i32; FRAME_SAMPLES], frame: &[i16; FRAME_SAMPLES]) {
    for (sum, &sample) in sum.iter_mut().zip(frame) {
        *sum -= i32::from(sample);
    }
}

#[inline]
fn saturate(sum: i32) -> i16 {
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame unlike those of other parties in every sample.
    fn voice(party: usize) -> [i16; FRAME_SAMPLES] {
        std::array::from_fn(|n| ((party * 37 + n * 11) % 601) as i16 - 300)
    }

    fn everyone_hears_all_but_themselves(parties: usize) {
        let mut mixer = Mixer::new(parties);
        for _tick in 0..2 {
            mixer.begin();
            for party in 0..parties {
                assert!(mixer.add(party, &voice(party)));
            }
            for listener in 0..parties {
                let mut heard = [0; FRAME_SAMPLES];
                assert!(mixer.hear(listener, &mut heard));
                for (n, &sample) in heard.iter().enumerate() {
                    let expected: i32 = (0..parties)
                        .filter(|&party| party != listener)
                        .map(|party| i32::from(voice(party)[n]))
                        .sum();
                    assert_eq!(i32::from(sample), expected.clamp(-32_768, 32_767));
                }
            }
        }
    }

    #[test]
    fn three_parties() {
        everyone_hears_all_but_themselves(3);
    }

    #[test]
    fn ten_parties() {
        everyone_hears_all_but_themselves(10);
    }

    #[test]
    fn a_hundred_parties() {
        everyone_hears_all_but_themselves(100);
    }

    #[test]
    fn shouting_is_cut_only_where_it_is_heard() {
        let mut mixer = Mixer::new(3);
        mixer.begin();
        mixer.add(0, &[30_000; FRAME_SAMPLES]);
        mixer.add(1, &[30_000; FRAME_SAMPLES]);
        mixer.add(2, &[-20_000; FRAME_SAMPLES]);
        let mut heard = [0; FRAME_SAMPLES];
        mixer.hear(0, &mut heard);
        assert_eq!(heard[0], 10_000);
        mixer.hear(2, &mut heard);
        assert_eq!(heard[0], i16::MAX);
        mixer.total(&mut heard);
        assert_eq!(heard[0], i16::MAX);
    }

    #[test]
    fn the_muted_hear_and_the_only_speaker_hears_silence() {
        let mut mixer = Mixer::new(2);
        mixer.begin();
        mixer.add(0, &[5; FRAME_SAMPLES]);
        let mut heard = [9; FRAME_SAMPLES];
        assert!(mixer.hear(1, &mut heard));
        assert_eq!(heard, [5; FRAME_SAMPLES]);
        assert!(!mixer.hear(0, &mut heard));
        assert_eq!(heard, [0; FRAME_SAMPLES]);
        assert!(mixer.hear(99, &mut heard), "a recorder hears everyone");
        assert_eq!(mixer.speakers(), 1);
    }

    #[test]
    fn a_second_frame_replaces_the_first_and_strangers_are_refused() {
        let mut mixer = Mixer::new(2);
        mixer.begin();
        mixer.add(0, &[5; FRAME_SAMPLES]);
        mixer.add(0, &[7; FRAME_SAMPLES]);
        let mut heard = [0; FRAME_SAMPLES];
        mixer.hear(1, &mut heard);
        assert_eq!(heard, [7; FRAME_SAMPLES]);
        assert!(!mixer.add(2, &[1; FRAME_SAMPLES]));
        mixer.resize(3);
        assert!(mixer.add(2, &[1; FRAME_SAMPLES]));
        assert!(!mixer.hear(2, &mut heard));
    }

    #[test]
    fn two_in_one_channel_saturate() {
        let mut frame = [30_000, -30_000, 1];
        mix_into(&mut frame, &[10_000, -10_000, 2]);
        assert_eq!(frame, [i16::MAX, i16::MIN, 3]);
    }
}
