//! A node of the quadtree ([`crate::quadtree`]): one cache line, since a search touches many.

use crate::ids::Step;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Node {
    /// Cell of the lower corner, aligned to `1 << level`.
    pub(crate) origin: [i64; 2],
    /// Empty slots are `NONE`; a leaf uses none of them.
    pub(crate) children: [u32; 4],
    /// Of each child its `clock_min`, so that a search need not touch those it passes over.
    pub(crate) clocks: [Step; 4],
    pub(crate) parent: u32,
    /// Leaf: head of the list of agents. Free node: the next free one.
    pub(crate) first: u32,
    /// Smallest clock of the agents below.
    pub(crate) clock_min: Step,
    pub(crate) level: u8,
}

impl Node {
    pub(crate) fn holds(&self, cell: [i64; 2]) -> bool {
        (cell[0] ^ self.origin[0]) >> self.level == 0
            && (cell[1] ^ self.origin[1]) >> self.level == 0
    }

    /// Which child of this node holds the cell.
    pub(crate) fn slot(&self, cell: [i64; 2]) -> usize {
        let bit = self.level - 1;
        ((cell[0] >> bit & 1) | (cell[1] >> bit & 1) << 1) as usize
    }
}
