//! Decisions from bytes: how a target that needs more than one text makes a sequence of things out of its input.

/// Bytes, taken from the front. When they are used up, every choice is the first one.
#[derive(Debug, Clone)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Choices out of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there are none left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Two bytes as a number.
    pub fn number(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number below this one.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound < 256 { usize::from(self.byte()) % bound.max(1) } else { usize::from(self.number()) % bound }
    }

    /// One of these.
    ///
    /// # Panics
    /// When there is nothing to choose from.
    pub fn of<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// The next bytes, at most so many.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// A changed copy: some bytes overwritten, inserted or cut, where and how the next choices say.
    pub fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            let length = self.below(9);
            let end = (at + length).min(bytes.len());
            match self.below(3) {
                0 => drop(bytes.splice(at..end, self.take(length).iter().copied())),
                1 => drop(bytes.drain(at..end)),
                _ => drop(bytes.splice(at..at, self.take(length).iter().copied())),
            }
        }
        bytes
    }
}
