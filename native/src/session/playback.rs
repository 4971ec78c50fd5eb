//! What a session plays: prepared files one after another, the list repeated with a gap. Pure: it points at frames.

use std::sync::Arc;

use crate::disk::prepared::{Prepared, PACKET_BYTES};
use crate::dsp::g711::Law;
use crate::dsp::FRAME_MS;

/// What is heard in one turn.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// 160 encoded octets.
    Sound(&'a [u8]),
    /// The gap between repetitions.
    Gap,
    /// The files are still being read.
    Waiting,
    /// It is over.
    End,
}

pub struct Playback {
    pub id: u32,
    /// `None` until read.
    sounds: Option<Vec<Arc<Prepared>>>,
    /// Rounds left after this one; `None`: for ever.
    rounds: Option<u16>,
    gap_frames: u32,
    gap_left: u32,
    skip_frames: u32,
    file: usize,
    frame: usize,
    played_frames: u32,
}

impl Playback {
    /// `repeat` 0 is for ever; times are rounded up to whole frames of 20 ms.
    pub fn new(id: u32, repeat: u16, gap_ms: u32, start_ms: u32) -> Self {
        Self {
            id,
            sounds: None,
            rounds: repeat.checked_sub(1),
            gap_frames: gap_ms.div_ceil(FRAME_MS),
            gap_left: 0,
            skip_frames: start_ms / FRAME_MS,
            file: 0,
            frame: 0,
            played_frames: 0,
        }
    }

    /// The files are there.
    pub fn load(&mut self, sounds: Vec<Arc<Prepared>>) {
        let mut skip = self.skip_frames as usize;
        for sound in &sounds {
            let frames = sound.samples().div_ceil(PACKET_BYTES);
            if skip < frames {
                break;
            }
            skip -= frames;
            self.file += 1;
        }
        self.frame = if self.file < sounds.len() { skip } else { 0 };
        // A list of nothing but empty files, for ever, would never let the turn end.
        if sounds.iter().all(|sound| sound.samples() == 0) {
            self.rounds = Some(0);
        }
        self.sounds = Some(sounds);
    }

    pub fn played_ms(&self) -> u32 {
        self.played_frames.saturating_mul(FRAME_MS)
    }

    /// The next 20 ms.
    pub fn next(&mut self, law: Law) -> Frame<'_> {
        let Some(sounds) = &self.sounds else {
            return Frame::Waiting;
        };
        if self.gap_left > 0 {
            self.gap_left -= 1;
            self.played_frames += 1;
            return Frame::Gap;
        }
        loop {
            let Some(sound) = sounds.get(self.file) else {
                match &mut self.rounds {
                    Some(0) => return Frame::End,
                    Some(rounds) => *rounds -= 1,
                    None => {}
                }
                self.file = 0;
                self.frame = 0;
                if self.gap_frames > 0 {
                    self.gap_left = self.gap_frames - 1;
                    self.played_frames += 1;
                    return Frame::Gap;
                }
                continue;
            };
            let start = self.frame * PACKET_BYTES;
            if let Some(frame) = sound.block(law).get(start..start + PACKET_BYTES) {
                self.frame += 1;
                self.played_frames += 1;
                return Frame::Sound(frame);
            }
            self.file += 1;
            self.frame = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::prepared::encode;

    fn sound(samples: &[i16]) -> Arc<Prepared> {
        Arc::new(Prepared::parse(encode(samples)).unwrap())
    }

    /// First sample of each frame until the end, gaps as -1, cut at `limit`.
    fn heard(playback: &mut Playback, limit: usize) -> Vec<i32> {
        let mut found = Vec::new();
        while found.len() < limit {
            match playback.next(Law::A) {
                Frame::Sound(frame) => found.push(i32::from(Law::A.decode(frame[0])) / 1000),
                Frame::Gap => found.push(-1),
                Frame::Waiting => found.push(-2),
                Frame::End => break,
            }
        }
        found
    }

    fn two() -> Vec<Arc<Prepared>> {
        vec![sound(&[1100; 161]), sound(&[]), sound(&[4200; 160])]
    }

    #[test]
    fn files_follow_each_other_and_the_list_is_repeated_with_a_gap() {
        let mut playback = Playback::new(1, 2, 30, 0);
        assert_eq!(heard(&mut playback, 2), [-2, -2]);
        playback.load(two());
        assert_eq!(heard(&mut playback, 99), [1, 1, 4, -1, -1, 1, 1, 4]);
        assert_eq!(playback.played_ms(), 160);
        assert_eq!(playback.next(Law::Mu), Frame::End);
    }

    #[test]
    fn the_start_is_skipped_once() {
        for (start_ms, expected) in [
            (19, vec![1, 1, 4, 1, 1, 4]),
            (40, vec![4, 1, 1, 4]),
            (1000, vec![1, 1, 4]),
        ] {
            let mut playback = Playback::new(1, 2, 0, start_ms);
            playback.load(two());
            assert_eq!(heard(&mut playback, 99), expected, "{start_ms}");
        }
    }

    #[test]
    fn for_ever_lasts_and_nothing_for_ever_ends() {
        let mut playback = Playback::new(1, 0, 0, 0);
        playback.load(two());
        assert_eq!(heard(&mut playback, 1000).len(), 1000);
        let mut nothing = Playback::new(1, 0, 0, 0);
        nothing.load(vec![sound(&[])]);
        assert_eq!(nothing.next(Law::A), Frame::End);
        let mut empty = Playback::new(1, 0, 0, 0);
        empty.load(Vec::new());
        assert_eq!(empty.next(Law::A), Frame::End);
    }
}
