//! A ring of octets on a timeline that knows which of them have come; works a word of 64 octets at a time.

/// Octets the ring holds; a power of two, and positions wrap onto it.
pub const CAPACITY: usize = 4_096;

const WORD: usize = 64;

/// Octets by their position; each is there or not.
#[derive(Debug, Clone)]
pub struct SoundRing {
    octets: Box<[u8; CAPACITY]>,
    present: [u64; CAPACITY / WORD],
}

/// A part of a range that lies in one word: its place in the ring, its place in the range, its length.
struct Part {
    at: usize,
    offset: usize,
    length: usize,
}

impl Part {
    fn mask(&self) -> u64 {
        (u64::MAX >> (WORD - self.length)) << (self.at % WORD)
    }
}

/// The parts of a range of positions, which is no longer than the ring.
fn parts(position: i64, length: usize) -> impl Iterator<Item = Part> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        if offset == length {
            return None;
        }
        let at = (position + offset as i64).rem_euclid(CAPACITY as i64) as usize;
        let part = Part {
            at,
            offset,
            length: (WORD - at % WORD).min(length - offset),
        };
        offset += part.length;
        Some(part)
    })
}

impl SoundRing {
    /// An empty ring.
    pub fn new() -> Self {
        Self {
            octets: Box::new([0; CAPACITY]),
            present: [0; CAPACITY / WORD],
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.present = [0; CAPACITY / WORD];
    }

    /// Puts octets in their places; one that is there stays. False if all were there.
    pub fn put(&mut self, position: i64, octets: &[u8]) -> bool {
        let mut fresh = false;
        for part in parts(position, octets.len().min(CAPACITY)) {
            let mask = part.mask();
            let present = &mut self.present[part.at / WORD];
            let from = &octets[part.offset..part.offset + part.length];
            let to = &mut self.octets[part.at..part.at + part.length];
            if *present & mask == 0 {
                to.copy_from_slice(from);
            } else {
                for (n, (to, from)) in to.iter_mut().zip(from).enumerate() {
                    if *present >> ((part.at + n) % WORD) & 1 == 0 {
                        *to = *from;
                    }
                }
            }
            fresh |= *present & mask != mask;
            *present |= mask;
        }
        fresh
    }

    /// Moves the octets that are there into `out`, leaving the rest of it alone; returns how many there were.
    pub fn take(&mut self, position: i64, out: &mut [u8]) -> usize {
        let mut count = 0;
        for part in parts(position, out.len().min(CAPACITY)) {
            let here = self.present[part.at / WORD] & part.mask();
            self.present[part.at / WORD] &= !part.mask();
            let from = &self.octets[part.at..part.at + part.length];
            let to = &mut out[part.offset..part.offset + part.length];
            if here == part.mask() {
                to.copy_from_slice(from);
            } else if here != 0 {
                for (n, (to, from)) in to.iter_mut().zip(from).enumerate() {
                    if here >> ((part.at + n) % WORD) & 1 == 1 {
                        *to = *from;
                    }
                }
            }
            count += here.count_ones() as usize;
        }
        count
    }

    /// Removes what is there of a range.
    pub fn remove(&mut self, position: i64, length: usize) {
        for part in parts(position, length.min(CAPACITY)) {
            self.present[part.at / WORD] &= !part.mask();
        }
    }

    /// The octet at a position, if it is there.
    pub fn get(&self, position: i64) -> Option<u8> {
        let at = position.rem_euclid(CAPACITY as i64) as usize;
        let here = self.present[at / WORD] >> (at % WORD) & 1 == 1;
        here.then(|| self.octets[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_every_length_and_place_come_out_as_they_went_in() {
        let octets: Vec<u8> = (0..700u32).map(|n| n as u8).collect();
        for position in [-4_097, -1, 0, 1, 63, 64, 4_000, 4_095, 1 << 40] {
            for length in [0, 1, 63, 64, 65, 160, 240, 700] {
                let mut ring = SoundRing::new();
                assert_eq!(ring.put(position, &octets[..length]), length > 0);
                assert!(!ring.put(position, &octets[..length]));
                assert_eq!(ring.get(position + length as i64), None);
                let mut out = vec![0xEE; length + 2];
                assert_eq!(ring.take(position - 1, &mut out), length);
                assert_eq!(out[1..=length], octets[..length]);
                assert_eq!((out[0], out[length + 1]), (0xEE, 0xEE));
                assert_eq!(ring.take(position - 1, &mut out), 0);
            }
        }
    }

    #[test]
    fn what_is_there_stays_and_what_is_removed_goes() {
        let mut ring = SoundRing::new();
        ring.put(100, &[1; 60]);
        assert!(ring.put(80, &[2; 100]));
        assert_eq!(
            (ring.get(99), ring.get(100), ring.get(159), ring.get(160)),
            (Some(2), Some(1), Some(1), Some(2))
        );
        ring.remove(90, 80);
        assert_eq!(
            (ring.get(89), ring.get(90), ring.get(169), ring.get(170)),
            (Some(2), None, None, Some(2))
        );
        let mut out = [0; 100];
        assert_eq!(ring.take(80, &mut out), 20);
        assert_eq!((out[9], out[10], out[89], out[90]), (2, 0, 0, 2));
        ring.put(0, &[1; 10]);
        ring.clear();
        assert_eq!(ring.get(5), None);
    }
}
