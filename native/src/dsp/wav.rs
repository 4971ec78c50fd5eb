//! A WAV file that is whole after every second, whatever happens to us: linear 16-bit, 8000 Hz, one or two channels.
//!
//! Sound is gathered for a second, appended, and only then is the header rewritten in one write, so that at no moment
//! does the header promise what the file has not got. After an error (a full disk) the header is put right for what was
//! written and the writer refuses more. Format: RIFF/WAVE, Microsoft's 1991 Multimedia Programming Interface.

use std::io::{self, Seek, SeekFrom, Write};

use super::SAMPLE_RATE;

/// Bytes before the first sample.
pub const HEADER_BYTES: u64 = 44;

/// The largest sound a WAV header can tell of, in bytes: the RIFF size is 32 bits and counts 36 bytes of header.
pub const MAX_DATA_BYTES: u64 = u32::MAX as u64 - 36 - 4;

const BYTES_PER_SAMPLE: u64 = 2;

/// Why a recording stopped growing. What was written before stays a valid file.
#[derive(Debug)]
pub enum WavError {
    /// The file refused a write (disk full, quota, gone).
    Io(io::Error),
    /// The file has reached [`MAX_DATA_BYTES`].
    TooLong,
    /// An earlier call failed; nothing is written any more.
    Failed,
}

impl std::fmt::Display for WavError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WavError::Io(error) => write!(f, "the recording cannot be written: {error}"),
            WavError::TooLong => {
                write!(f, "the recording has reached the 4 GiB a WAV file can hold")
            }
            WavError::Failed => write!(f, "the recording has failed before"),
        }
    }
}

impl std::error::Error for WavError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WavError::Io(error) => Some(error),
            WavError::TooLong | WavError::Failed => None,
        }
    }
}

/// Writes one recording into anything that can be written and sought in.
///
/// A *moment* is one sample of each channel; positions and lengths count moments, 8000 to the second.
#[derive(Debug)]
pub struct WavWriter<W: Write + Seek> {
    file: W,
    channels: u16,
    pending: Vec<u8>,
    written_bytes: u64,
    failed: bool,
}

impl<W: Write + Seek> WavWriter<W> {
    /// Starts a file, which should be empty, with the header of an empty recording. `channels` is 1 or 2.
    ///
    /// # Errors
    /// [`WavError::Io`] if the header cannot be written.
    pub fn create(mut file: W, channels: u16) -> Result<Self, WavError> {
        let channels = channels.clamp(1, 2);
        file.write_all(&header(channels, 0)).map_err(WavError::Io)?;
        let second = SAMPLE_RATE as usize * usize::from(channels) * BYTES_PER_SAMPLE as usize;
        Ok(Self {
            file,
            channels,
            pending: Vec::with_capacity(second),
            written_bytes: 0,
            failed: false,
        })
    }

    /// Appends samples; with two channels they alternate, first channel first.
    ///
    /// # Errors
    /// Any [`WavError`]; after one the file holds [`duration_ms`](Self::duration_ms) of sound and the writer is done.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        if self.failed {
            return Err(WavError::Failed);
        }
        for &sample in samples {
            self.pending.extend_from_slice(&sample.to_le_bytes());
            if self.pending.len() >= self.second_bytes() {
                self.commit()?;
            }
        }
        Ok(())
    }

    /// Writes samples where they belong on the recording's own timeline: what was missed before `moment` becomes
    /// silence, and what lies before the end already written is left out.
    ///
    /// `moment` must come from our own clock, never from a peer: a far one is an hour of silence on the disk.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_at(&mut self, moment: u64, samples: &[i16]) -> Result<(), WavError> {
        let end = self.moments();
        if moment > end {
            self.silence(moment - end)?;
        }
        let overlap = end.saturating_sub(moment) as usize * usize::from(self.channels);
        self.write(samples.get(overlap..).unwrap_or(&[]))
    }

    /// Appends `moments` of silence.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn silence(&mut self, moments: u64) -> Result<(), WavError> {
        const QUIET: [i16; 320] = [0; 320];
        let mut samples = moments * u64::from(self.channels);
        while samples > 0 {
            let count = samples.min(QUIET.len() as u64);
            self.write(&QUIET[..count as usize])?;
            samples -= count;
        }
        Ok(())
    }

    /// How many moments were given to the recording, those still gathered included.
    pub fn moments(&self) -> u64 {
        (self.written_bytes + self.pending.len() as u64) / self.block_bytes()
    }

    /// How much sound the file holds for sure, in ms: all after [`finish`](Self::finish), else up to a second less.
    pub fn duration_ms(&self) -> u64 {
        self.written_bytes / self.block_bytes() * 1_000 / u64::from(SAMPLE_RATE)
    }

    /// Writes what is gathered and brings the header up to date, before the second is full.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn commit(&mut self) -> Result<(), WavError> {
        if self.failed {
            return Err(WavError::Failed);
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.written_bytes + self.pending.len() as u64 > MAX_DATA_BYTES {
            self.failed = true;
            return Err(WavError::TooLong);
        }
        let outcome = self.append();
        let patched = self.patch_header();
        if let Err(error) = outcome.and(patched) {
            self.failed = true;
            self.pending.clear();
            return Err(WavError::Io(error));
        }
        Ok(())
    }

    /// Writes the rest and gives the file back, valid whether or not this succeeds.
    pub fn finish(mut self) -> (W, Result<(), WavError>) {
        let outcome = self.commit();
        (self.file, outcome)
    }

    /// Appends the gathered bytes, and counts those that went out even if not all did.
    fn append(&mut self) -> io::Result<()> {
        self.file
            .seek(SeekFrom::Start(HEADER_BYTES + self.written_bytes))?;
        let mut done = 0;
        let outcome = loop {
            match self.file.write(&self.pending[done..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            if done == self.pending.len() {
                break self.file.flush();
            }
        };
        // Half a sample at the end of a cut write is not sound.
        self.written_bytes += done as u64 / self.block_bytes() * self.block_bytes();
        self.pending.clear();
        outcome
    }

    fn patch_header(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file
            .write_all(&header(self.channels, self.written_bytes as u32))?;
        self.file.flush()
    }

    fn block_bytes(&self) -> u64 {
        u64::from(self.channels) * BYTES_PER_SAMPLE
    }

    fn second_bytes(&self) -> usize {
        SAMPLE_RATE as usize * self.block_bytes() as usize
    }
}

/// The header of a file with so many bytes of sound.
fn header(channels: u16, data_bytes: u32) -> [u8; HEADER_BYTES as usize] {
    let block = channels * BYTES_PER_SAMPLE as u16;
    let mut header = [0; HEADER_BYTES as usize];
    header[0..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&(data_bytes + 36).to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16u32.to_le_bytes());
    header[20..22].copy_from_slice(&1u16.to_le_bytes());
    header[22..24].copy_from_slice(&channels.to_le_bytes());
    header[24..28].copy_from_slice(&SAMPLE_RATE.to_le_bytes());
    header[28..32].copy_from_slice(&(SAMPLE_RATE * u32::from(block)).to_le_bytes());
    header[32..34].copy_from_slice(&block.to_le_bytes());
    header[34..36].copy_from_slice(&16u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..44].copy_from_slice(&data_bytes.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io::Cursor;
    use std::rc::Rc;

    /// A disk of limited size that can be looked at while it is written.
    #[derive(Clone)]
    struct Disk {
        file: Rc<RefCell<Cursor<Vec<u8>>>>,
        room: usize,
    }

    impl Disk {
        fn with_room(room: usize) -> Self {
            Self {
                file: Rc::default(),
                room,
            }
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut file = self.file.borrow_mut();
            let left = self.room.saturating_sub(file.position() as usize);
            if left == 0 {
                return Err(io::Error::other("no space left"));
            }
            file.write(&bytes[..bytes.len().min(left)])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Disk {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.borrow_mut().seek(to)
        }
    }

    /// Reads a file as a player would and returns channels and samples; panics if the header promises too much.
    fn read(bytes: &[u8]) -> (u16, Vec<i16>) {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        assert_eq!(&bytes[0..4], b"RIFF");
        assert_eq!(&bytes[8..16], b"WAVEfmt ");
        assert_eq!(&bytes[36..40], b"data");
        assert_eq!(u32_at(4), u32_at(40) + 36);
        assert_eq!(u32_at(24), 8_000);
        let channels = u16::from_le_bytes([bytes[22], bytes[23]]);
        assert_eq!(u32_at(28), 16_000 * u32::from(channels));
        let data = &bytes[44..44 + u32_at(40) as usize];
        let samples = data
            .chunks(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        (channels, samples.collect())
    }

    #[test]
    fn the_file_is_valid_after_every_frame_and_whole_after_every_second() {
        let disk = Disk::with_room(usize::MAX);
        let mut writer = WavWriter::create(disk.clone(), 1).expect("a header");
        for frame in 1..=250usize {
            writer.write(&[frame as i16; 160]).expect("room");
            let (channels, samples) = read(disk.file.borrow().get_ref());
            assert_eq!(channels, 1);
            assert_eq!(samples.len(), frame * 160 / 8_000 * 8_000);
        }
        assert_eq!(writer.duration_ms(), 5_000);
        writer.write(&[9; 40]).expect("room");
        assert_eq!(writer.moments(), 40_040);
        let (_, outcome) = writer.finish();
        outcome.expect("room");
        let (_, samples) = read(disk.file.borrow().get_ref());
        assert_eq!(samples.len(), 40_040);
        assert_eq!((samples[159], samples[160], samples[40_039]), (1, 2, 9));
    }

    #[test]
    fn two_channels_alternate() {
        let disk = Disk::with_room(usize::MAX);
        let mut writer = WavWriter::create(disk.clone(), 2).expect("a header");
        for _ in 0..8_000 {
            writer.write(&[1, -1]).expect("room");
        }
        assert_eq!(writer.duration_ms(), 1_000);
        let (channels, samples) = read(disk.file.borrow().get_ref());
        assert_eq!((channels, samples.len()), (2, 16_000));
        assert_eq!(samples[..4], [1, -1, 1, -1]);
    }

    #[test]
    fn gaps_become_silence_and_overlaps_are_left_out() {
        let disk = Disk::with_room(usize::MAX);
        let mut writer = WavWriter::create(disk.clone(), 1).expect("a header");
        writer.write_at(0, &[1; 160]).expect("room");
        writer.write_at(480, &[2; 160]).expect("room");
        writer.write_at(560, &[3; 160]).expect("room");
        writer.write_at(0, &[4; 160]).expect("room");
        assert_eq!(writer.moments(), 720);
        writer.finish().1.expect("room");
        let (_, samples) = read(disk.file.borrow().get_ref());
        let mut expected = vec![1; 160];
        expected.extend([0; 320]);
        expected.extend([2; 160]);
        expected.extend([3; 80]);
        assert_eq!(samples, expected);
    }

    #[test]
    fn a_full_disk_leaves_a_valid_file_of_what_was_written() {
        for room in [44, 45, 46, 10_001, 16_044, 30_003] {
            let disk = Disk::with_room(room);
            let mut writer = WavWriter::create(disk.clone(), 1).expect("a header");
            let failed = (0..200).find_map(|_| writer.write(&[7; 160]).err());
            assert!(matches!(failed, Some(WavError::Io(_))), "room {room}");
            assert!(matches!(writer.write(&[7]), Err(WavError::Failed)));
            assert!(matches!(writer.silence(1), Err(WavError::Failed)));
            let (_, outcome) = writer.finish();
            assert!(outcome.is_err());
            let (_, samples) = read(disk.file.borrow().get_ref());
            assert_eq!(samples.len(), (room - 44) / 2, "room {room}");
            assert!(samples.iter().all(|&sample| sample == 7));
        }
    }

    #[test]
    fn no_room_for_a_header_is_an_error_at_once() {
        assert!(matches!(
            WavWriter::create(Disk::with_room(10), 1),
            Err(WavError::Io(_))
        ));
    }

    #[test]
    fn a_recording_ends_at_what_a_header_can_tell() {
        let mut writer = WavWriter::create(Disk::with_room(usize::MAX), 1).expect("a header");
        writer.written_bytes = MAX_DATA_BYTES - 2;
        writer.write(&[1, 2]).expect("gathered only");
        assert!(matches!(writer.commit(), Err(WavError::TooLong)));
        assert!(matches!(writer.write(&[1]), Err(WavError::Failed)));
    }
}
