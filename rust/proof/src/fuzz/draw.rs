//! Bytes into choices. When the bytes are used up every choice is the first one, so a run on any
//! input comes to an end.

use arbitrary::Unstructured;

/// What is left of an input.
pub(super) struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`, which takes one byte.
    pub(super) fn below(&mut self, end: u8) -> u8 {
        self.0.int_in_range(0..=end - 1).unwrap_or(0)
    }

    pub(super) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::from(self.below(items.len() as u8))]
    }

    /// True about once in so many times, not when the bytes are used up.
    pub(super) fn rarely(&mut self, one_in: u8) -> bool {
        self.below(one_in) == one_in - 1
    }

    /// Any bits, as a number of this type.
    pub(super) fn any<T: arbitrary::Arbitrary<'a> + Default>(&mut self) -> T {
        self.0.arbitrary().unwrap_or_default()
    }

    /// A step: mostly one of the first, or a little after `from`; sometimes where sums overflow.
    pub(super) fn step(&mut self, from: u32) -> u32 {
        match self.below(16) {
            0..=7 => from.saturating_add(u32::from(self.below(6))),
            8..=12 => u32::from(self.below(9)),
            13 => self.any(),
            _ => self.one_of(&[u32::MAX, u32::MAX - 1, u32::MAX - 2, 1 << 31, 1 << 24]),
        }
    }

    /// A real number, usable or not.
    pub(super) fn wild_real(&mut self) -> f64 {
        const WILD: [f64; 18] = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            -0.0,
            -1.0,
            0.5,
            1e8,
            1e8_f64.next_up(),
            1_073_741_824.0,
            1_073_741_825.0,
            4_294_967_296.0,
            9_007_199_254_740_993.0,
            1.8e19,
        ];
        if self.rarely(4) { f64::from_bits(self.any()) } else { self.one_of(&WILD) }
    }
}
