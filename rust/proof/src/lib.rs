//! Machines that try to break the promise of `headway-core`: that a run out of order gives what
//! lock-step would have given. None of this is part of the package that users install.

pub mod fuzz;
