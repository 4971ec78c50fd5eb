//! Prepared sound as the control process writes it (`offhook.media.frames` has the layout), read whole into memory and shared.
//! Not mapped: a file cut short while it is mapped would kill every call, and a page not there would hold up every tick.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use crate::dsp::g711::Law;

const MAGIC: &[u8; 8] = b"OFFHOOKF";
const HEADER_BYTES: usize = 64;
/// Octets of sound in 20 ms.
pub const PACKET_BYTES: usize = 160;
/// One file; about four hours of sound.
pub const MAX_FILE_BYTES: u64 = 256 << 20;
/// Sound that nobody plays is kept in memory up to this.
const CACHE_BYTES: usize = 256 << 20;

/// One file's sound in both laws.
#[derive(Debug)]
pub struct Prepared {
    bytes: Vec<u8>,
    samples: usize,
    a_law: usize,
    mu_law: usize,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(bytes.get(at..at + N)?);
    Some(u64::from_le_bytes(wide))
}

impl Prepared {
    /// Takes a whole file, or says what is wrong with it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, &'static str> {
        let none = "this is no prepared sound";
        if bytes.get(..8) != Some(MAGIC) {
            return Err(none);
        }
        if number::<2>(&bytes, 8) != Some(1) || number::<2>(&bytes, 10) != Some(HEADER_BYTES as u64)
        {
            return Err(
                "prepared sound of another version: delete it, so that it is prepared anew",
            );
        }
        let field = |at| {
            number::<8>(&bytes, at)
                .and_then(|value| usize::try_from(value).ok())
                .ok_or(none)
        };
        let (samples, a_law, mu_law) = (field(16)?, field(24)?, field(32)?);
        let size = samples.checked_next_multiple_of(PACKET_BYTES).ok_or(none)?;
        for block in [a_law, mu_law] {
            if block < HEADER_BYTES
                || block
                    .checked_add(size)
                    .map_or(true, |end| end > bytes.len())
            {
                return Err(
                    "prepared sound that is cut off: delete it, so that it is prepared anew",
                );
            }
        }
        Ok(Self {
            bytes,
            samples,
            a_law,
            mu_law,
        })
    }

    /// Samples of sound, without what fills the last packet.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Encoded sound, whole packets of silence-filled 160 octets.
    pub fn block(&self, law: Law) -> &[u8] {
        let start = match law {
            Law::A => self.a_law,
            Law::Mu => self.mu_law,
        };
        &self.bytes[start..start + self.samples.next_multiple_of(PACKET_BYTES)]
    }
}

/// What makes a file the same file: it is read again when any of it changed.
type Stamp = (u64, u64, u64, i64, i64);

/// Files that play, or played lately.
#[derive(Default)]
pub struct Cache {
    known: HashMap<PathBuf, (Stamp, Weak<Prepared>)>,
    /// Newest last.
    kept: Vec<Arc<Prepared>>,
}

impl Cache {
    /// The sound of a file, read at most once while anybody plays it. The error is for people.
    pub fn get(&mut self, path: &Path) -> Result<Arc<Prepared>, String> {
        let because = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut file = File::open(path).map_err(|error| because(&error))?;
        let about = file.metadata().map_err(|error| because(&error))?;
        if about.len() > MAX_FILE_BYTES {
            return Err(because(&format!(
                "{} bytes are more than the {MAX_FILE_BYTES} a sound may have",
                about.len()
            )));
        }
        let stamp = (
            about.dev(),
            about.ino(),
            about.len(),
            about.mtime(),
            about.mtime_nsec(),
        );
        if let Some((known, sound)) = self.known.get(path) {
            if let (true, Some(sound)) = (*known == stamp, sound.upgrade()) {
                self.keep(&sound);
                return Ok(sound);
            }
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        Read::by_ref(&mut file)
            .take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| because(&error))?;
        let sound = Arc::new(Prepared::parse(bytes).map_err(|error| because(&error))?);
        self.known.retain(|_, (_, sound)| sound.strong_count() > 0);
        self.known
            .insert(path.to_owned(), (stamp, Arc::downgrade(&sound)));
        self.keep(&sound);
        Ok(sound)
    }

    fn keep(&mut self, sound: &Arc<Prepared>) {
        self.kept.retain(|other| !Arc::ptr_eq(other, sound));
        self.kept.push(sound.clone());
        let mut size: usize = self.kept.iter().map(|sound| sound.bytes.len()).sum();
        while size > CACHE_BYTES && self.kept.len() > 1 {
            size -= self.kept.remove(0).bytes.len();
        }
    }
}

/// The bytes of a prepared file, for tests and load generators.
pub fn encode(samples: &[i16]) -> Vec<u8> {
    let size = samples.len().next_multiple_of(PACKET_BYTES);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 2 * size);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&1u16.to_le_bytes());
    bytes.extend_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
    bytes.extend_from_slice(&8000u32.to_le_bytes());
    for value in [samples.len(), HEADER_BYTES, HEADER_BYTES + size] {
        bytes.extend_from_slice(&(value as u64).to_le_bytes());
    }
    bytes.resize(HEADER_BYTES, 0);
    for law in [Law::A, Law::Mu] {
        bytes.extend(samples.iter().map(|&sample| law.encode(sample)));
        bytes.extend(std::iter::repeat(law.silence()).take(size - samples.len()));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_read() {
        let samples: Vec<i16> = (0..200).map(|value| value * 100).collect();
        let sound = Prepared::parse(encode(&samples)).unwrap();
        assert_eq!(sound.samples(), 200);
        for law in [Law::A, Law::Mu] {
            let block = sound.block(law);
            assert_eq!(block.len(), 320);
            assert!(samples
                .iter()
                .zip(block)
                .all(|(&sample, &octet)| law.encode(sample) == octet));
            assert!(block[200..].iter().all(|&octet| octet == law.silence()));
        }
    }

    #[test]
    fn rubbish_is_refused_without_a_panic() {
        let good = encode(&[1; 100]);
        for end in 0..good.len() {
            assert!(Prepared::parse(good[..end].to_vec()).is_err());
        }
        for at in 0..HEADER_BYTES {
            let mut changed = good.clone();
            changed[at] ^= 0xFF;
            if let Ok(sound) = Prepared::parse(changed) {
                let _ = (sound.block(Law::A), sound.block(Law::Mu));
            }
        }
    }

    #[test]
    fn a_file_is_shared_until_it_changes() {
        let path = std::env::temp_dir().join(format!("offhook-prepared-{}", std::process::id()));
        let mut cache = Cache::default();
        assert!(cache.get(&path).unwrap_err().contains("offhook-prepared"));
        std::fs::write(&path, encode(&[1; 100])).unwrap();
        let first = cache.get(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(&path).unwrap()));
        std::fs::write(&path, encode(&[1; 300])).unwrap();
        let second = cache.get(&path).unwrap();
        assert_eq!((first.samples(), second.samples()), (100, 300));
        std::fs::remove_file(&path).unwrap();
    }
}
