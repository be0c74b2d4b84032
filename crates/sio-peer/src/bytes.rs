//! Bytes: compressed without a library, and spoilt.

/// A gzip file of one stored block.
#[must_use]
pub fn gzip(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short text");
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(data);
    file.extend(crc32(data).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

/// The beginning of a gzip file that holds the same byte over and over, `count` times at least: a small file that becomes
/// a large one. Its end is missing.
#[must_use]
pub fn gzip_bomb(byte: u8, count: usize) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut size) = (0_u32, 0);
    let mut put = |value: u32, width: u32| {
        bits |= value << size;
        size += width;
        while size >= 8 {
            file.push(bits as u8);
            bits >>= 8;
            size -= 8;
        }
    };
    // The last block, in fixed codes: the byte, and then copies of 258 bytes, each from one byte before.
    put(0b011, 3);
    assert!(byte < 144, "a code of eight bits");
    put(u32::from((0x30 + byte).reverse_bits()), 8);
    for _ in 0..count.div_ceil(258) {
        put(u32::from(0b1100_0101_u8.reverse_bits()), 8);
        put(0, 5);
    }
    file
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (low * 0xedb8_8320);
        }
    }
    !crc
}

/// A generator of numbers that are always the same.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    /// Changes, removes or doubles a few bytes.
    #[must_use]
    pub fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.roll(3) {
            let at = self.roll(bytes.len());
            match self.roll(4) {
                0 => bytes[at] = self.roll(256) as u8,
                1 => bytes[at] ^= 1 << self.roll(8),
                2 => bytes.truncate(at + 1),
                _ => {
                    let end = (at + 1 + self.roll(8)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    }
}
