//! Bursts as frames made beforehand.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use super::dialect::Dialect;
use super::frame;

/// So many are made at once: whoever warms up with a small burst finds the large one made.
const AT_LEAST: usize = 200_000;
/// …but no more than so many bytes before somebody wants them.
const BEFOREHAND: usize = 64 << 20;

/// The events `tick` from the first on, one block for each dialect and size.
#[derive(Debug, Default)]
pub(super) struct Bursts(HashMap<(Dialect, usize), Ticks>);

#[derive(Debug, Default)]
struct Ticks {
    frames: Arc<Vec<u8>>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

impl Bursts {
    /// A block, and up to where it has the first `count` ticks.
    pub(super) fn get(
        &mut self,
        dialect: Dialect,
        count: usize,
        size: usize,
    ) -> (Arc<Vec<u8>>, usize) {
        let ticks = self.0.entry((dialect, size)).or_default();
        if ticks.ends.len() < count {
            let beforehand = AT_LEAST.min(BEFOREHAND / (size + 64));
            *ticks = Ticks::new(dialect, count.max(beforehand), size);
        }
        let end = match count.checked_sub(1) {
            Some(last) => ticks.ends[last],
            None => 0,
        };
        (Arc::clone(&ticks.frames), end)
    }
}

impl Ticks {
    fn new(dialect: Dialect, count: usize, size: usize) -> Self {
        let mut frames = Vec::new();
        let mut ends = Vec::with_capacity(count);
        let mut packet = Vec::new();
        let text = vec![b'x'; size];
        for index in 0..count {
            packet.clear();
            write_tick(dialect, index, &text, &mut packet);
            frame::write(frame::TEXT, &[&packet], &mut frames);
            ends.push(frames.len());
        }
        Self {
            frames: Arc::new(frames),
            ends,
        }
    }
}

/// Appends the packet of one tick.
pub(super) fn write_tick(dialect: Dialect, index: usize, text: &[u8], packet: &mut Vec<u8>) {
    let [before, between, after] = dialect.frame_of_event();
    packet.extend_from_slice(before);
    packet.extend_from_slice(b"tick");
    packet.extend_from_slice(between);
    if dialect != Dialect::Legacy {
        packet.push(b',');
    }
    // A vector takes everything.
    _ = write!(packet, "{index},\"");
    packet.extend_from_slice(text);
    packet.push(b'"');
    packet.extend_from_slice(after);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(dialect: Dialect) -> String {
        let mut packet = Vec::new();
        write_tick(dialect, 41, b"xx", &mut packet);
        String::from_utf8(packet).unwrap()
    }

    #[test]
    fn ticks_are_events() {
        assert_eq!(packet(Dialect::EngineIo3), r#"42["tick",41,"xx"]"#);
        assert_eq!(packet(Dialect::EngineIo4), r#"42["tick",41,"xx"]"#);
        assert_eq!(
            packet(Dialect::Legacy),
            r#"5:::{"name":"tick","args":[41,"xx"]}"#
        );
    }

    #[test]
    fn short_burst_is_the_beginning_of_a_long_one() {
        let mut bursts = Bursts::default();
        let (long, end_of_long) = bursts.get(Dialect::EngineIo3, 1000, 5);
        let (same, end) = bursts.get(Dialect::EngineIo3, 1, 5);
        assert!(Arc::ptr_eq(&long, &same), "it was made once");
        assert!(end < end_of_long && end_of_long < long.len());
        let mut first = Vec::new();
        frame::write(frame::TEXT, &[br#"42["tick",0,"xxxxx"]"#], &mut first);
        assert_eq!(long[..end], first);
        assert_eq!(bursts.get(Dialect::EngineIo3, 0, 5).1, 0);
    }
}
