//! Decimal digits of a number without an allocation, for lengths, counts and ids.

/// The digits of a number, most significant first, as values 0 to 9.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    digits: [u8; Self::MAX],
    start: usize,
}

impl Decimal {
    /// The digits of `u64::MAX`.
    const MAX: usize = 20;

    /// Of a number.
    pub fn new(mut number: u64) -> Self {
        let mut digits = [0; Self::MAX];
        let mut start = Self::MAX;
        loop {
            start -= 1;
            digits[start] = (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, start };
            }
        }
    }

    /// The digits of a length or count.
    pub fn of(number: usize) -> Self {
        Self::new(number as u64)
    }

    /// Digit values, not ASCII: the form of the binary framing's lengths.
    pub fn values(&self) -> &[u8] {
        &self.digits[self.start..]
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        Self::MAX - self.start
    }

    /// Appends the digits in ASCII.
    pub fn push_to(&self, text: &mut String) {
        text.extend(self.values().iter().map(|digit| char::from(b'0' + digit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_formatter() {
        for number in [0, 1, 9, 10, 99, 100, 65_536, u64::MAX] {
            let mut text = String::new();
            let decimal = Decimal::new(number);
            decimal.push_to(&mut text);
            assert_eq!(text, number.to_string());
            assert_eq!(decimal.len(), text.len());
        }
    }
}
