//! What the random tests share: a slow twin of the engine, a source of chance, and random loads.

pub(crate) mod chance;
pub(crate) mod load;
pub(crate) mod twin;
