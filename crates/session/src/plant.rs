//! Where a defect can be planted: `planted!(Name)` is `false` in every build but the simulator's,
//! which compiles the defects of the module `planted` in, to show that it finds them.

/// Is this defect switched on?
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_on($crate::planted::Bug::$bug)
    };
}

/// Is this defect switched on? Never, outside of the simulator.
#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}
