//! What the processor can do: 512 bits of population counts at once, one lane's, or neither.

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pulp::simd_type! {
    /// Eight lanes' population counts in an instruction.
    pub(super) struct Eight {
        pub popcnt: "popcnt",
        pub avx512f: "avx512f",
        pub avx512bw: "avx512bw",
        pub avx512dq: "avx512dq",
        pub avx512vl: "avx512vl",
        pub avx512vpopcntdq: "avx512vpopcntdq",
    }

    /// One lane's.
    pub(super) struct One {
        pub popcnt: "popcnt",
    }
}

/// For which code is compiled. Other architectures than x86 have one level, which the compiler knows.
#[derive(Clone, Copy)]
pub(super) enum Processor {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Eight(Eight),
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    One(One),
    Any,
}

impl Processor {
    /// This one.
    pub(super) fn new() -> Self {
        Self::all().next().unwrap_or(Self::Any)
    }

    /// As which this one can be used, the best first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let special = [Eight::try_new().map(Self::Eight), One::try_new().map(Self::One)];
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        let special = [];
        special.into_iter().flatten().chain([Self::Any])
    }

    /// Runs what is inlined into `work` with the instructions that there are.
    pub(super) fn run(self, work: impl FnOnce()) {
        match self {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Eight(token) => token.vectorize(work),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::One(token) => token.vectorize(work),
            Self::Any => work(),
        }
    }
}
