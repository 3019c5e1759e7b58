// Random valid modules, one after the other on standard output: four bytes with the length (little endian), then the module.
//
//	smith COUNT
//	smith FILE.wat    writes that module instead
//
// Each ends by itself: it has a global that its functions and loops count down, and traps when that is used up. See smith.sh.
use arbitrary::Unstructured;
use std::io::Write;
use wasm_smith::{Config, Module};

/// The same bytes on every machine.
fn noise(seed: u64, n: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(n + 8);
    while out.len() < n {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out.extend_from_slice(&x.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    out
}

fn config(i: u64) -> Config {
    Config {
        // Every second module has only what WebAssembly 1.0 has.
        bulk_memory_enabled: i % 2 == 1,
        reference_types_enabled: i % 2 == 1,
        multi_value_enabled: i % 2 == 1,
        saturating_float_to_int_enabled: i % 2 == 1,
        sign_extension_ops_enabled: i % 2 == 1,
        extended_const_enabled: i % 2 == 1,
        simd_enabled: i % 4 == 3,
        max_tables: if i % 2 == 1 { 3 } else { 1 },
        disallow_traps: i % 3 == 0,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        canonicalize_nans: true,
        export_everything: true,
        max_imports: 0,
        min_funcs: 4,
        max_funcs: 12,
        max_instructions: if i % 5 == 0 { 1500 } else { 150 },
        max_memory32_bytes: 4 << 20,
        max_table_elements: 1000,
        min_element_segments: 1,
        max_data_segments: 4,
        max_globals: 6,
        ..Config::default()
    }
}

fn main() {
    let what = std::env::args().nth(1).expect("COUNT or FILE.wat");
    let mut out = std::io::stdout().lock();
    let Ok(count) = what.parse::<u64>() else {
        out.write_all(&wat::parse_file(what).unwrap()).unwrap();
        return;
    };
    let mut seed = 0;
    for i in 0..count {
        let module = loop {
            seed += 1;
            let bytes = noise(seed, 1000 + (seed as usize * 331) % 7000);
            if let Ok(mut m) = Module::new(config(i), &mut Unstructured::new(&bytes)) {
                if m.ensure_termination(1000).is_ok() && m.to_bytes().len() > 700 {
                    break m.to_bytes(); // shorter ones hardly have code
                }
            }
        };
        out.write_all(&(module.len() as u32).to_le_bytes()).unwrap();
        out.write_all(&module).unwrap();
    }
}
