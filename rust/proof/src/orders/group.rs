//! A few agents, as bits.

use std::fmt;

/// Up to eight agents, by name or by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub u8);

impl Group {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// One agent.
    #[must_use]
    pub fn of(one: usize) -> Self {
        Self(1 << one)
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(self, one: usize) -> bool {
        self.0 >> one & 1 > 0
    }

    /// Those of both.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not among the others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in order.
    pub fn each(self) -> impl Iterator<Item = usize> {
        (0..8).filter(move |one| self.has(*one))
    }
}

impl FromIterator<usize> for Group {
    fn from_iter<I: IntoIterator<Item = usize>>(each: I) -> Self {
        each.into_iter().fold(Self::NONE, |group, one| group.with(Self::of(one)))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.each().map(|one| one.to_string()).collect();
        f.write_str(&names.join(" and "))
    }
}
