//! The sixteen keys of DTMF (ITU-T Q.23) and their event codes (RFC 4733 section 3.2).
//!
//! Both ways of carrying a key, as sound and as telephone-event, speak in these types.

/// Frequencies of the four rows of the keypad in Hz (Q.23, the low group).
pub const ROW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];

/// Frequencies of the four columns of the keypad in Hz (Q.23, the high group).
pub const COLUMN_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// The characters in the order of their event codes 0 to 15.
const BY_CODE: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// The keypad as it looks: rows from the top, columns from the left.
const KEYPAD: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// One key: `0`-`9`, `*`, `#`, `A`-`D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// The key with an RFC 4733 event code; `None` above 15, which are other events than keys.
    pub const fn from_code(code: u8) -> Option<Self> {
        if code < 16 {
            Some(Self(code))
        } else {
            None
        }
    }

    /// The key a character names; letters in either case. `None` for any other character.
    pub fn from_char(character: char) -> Option<Self> {
        let upper = character.to_ascii_uppercase();
        let code = BY_CODE.iter().position(|&known| known == upper)?;
        Self::from_code(code as u8)
    }

    /// The key where a row and a column (each 0 to 3) cross; `None` outside the keypad.
    pub fn from_keypad(row: usize, column: usize) -> Option<Self> {
        Self::from_char(*KEYPAD.get(row)?.get(column)?)
    }

    /// The RFC 4733 event code, 0 to 15.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The character printed on the key, letters in upper case.
    pub const fn as_char(self) -> char {
        BY_CODE[self.0 as usize]
    }

    /// The two frequencies of the key in Hz: row, then column.
    pub fn frequencies_hz(self) -> (f32, f32) {
        for (row, keys) in KEYPAD.iter().enumerate() {
            for (column, &key) in keys.iter().enumerate() {
                if key == self.as_char() {
                    return (ROW_HZ[row], COLUMN_HZ[column]);
                }
            }
        }
        unreachable!("every key stands on the keypad, and Digit is only made of keys")
    }
}

/// What a listener for keys reports, whichever way the keys came. Each press is one `Started` and one `Ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitEvent {
    /// A key went down.
    Started {
        /// Which key.
        digit: Digit,
    },
    /// The key last started went up.
    Ended {
        /// Which key.
        digit: Digit,
        /// How long it was down, in milliseconds.
        duration_ms: u32,
    },
}

/// One step of a dialled string, for both senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialStep {
    /// The key to press; `None` to stay silent for `duration_ms`.
    pub digit: Option<Digit>,
    /// How long the key is down, in ms. Senders hold it between what a receiver must hear and what a person can mean.
    pub duration_ms: u32,
    /// How long it is quiet after it, in ms. After a key never less than a receiver needs to tell two keys apart.
    pub pause_ms: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_4733_table_3() {
        for (character, code) in [
            ('0', 0),
            ('9', 9),
            ('*', 10),
            ('#', 11),
            ('A', 12),
            ('D', 15),
        ] {
            assert_eq!(Digit::from_char(character).map(Digit::code), Some(code));
            assert_eq!(Digit::from_code(code).map(Digit::as_char), Some(character));
        }
        assert_eq!(Digit::from_char('b'), Digit::from_char('B'));
        assert_eq!(Digit::from_char('E'), None);
        assert_eq!(Digit::from_code(16), None);
    }

    #[test]
    fn every_key_has_its_own_pair_of_frequencies() {
        let mut seen = Vec::new();
        for code in 0..16 {
            let digit = Digit::from_code(code).expect("a key");
            let pair = digit.frequencies_hz();
            assert!(!seen.contains(&pair));
            seen.push(pair);
        }
        let five = Digit::from_keypad(1, 1).expect("the middle of the keypad");
        assert_eq!(five.as_char(), '5');
        assert_eq!(five.frequencies_hz(), (770.0, 1336.0));
        assert_eq!(Digit::from_keypad(4, 0), None);
    }
}
