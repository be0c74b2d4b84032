//! The codecs beside serde_json alone, or a copy: `cargo bench -p sio-bench`. What each row is, `client::codec` says.

use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use sio_bench::client::codec::{Codec, rows};

fn codecs(criterion: &mut Criterion) {
    let mut all = Codec::ALL.map(|codec| (codec, rows(codec)));
    let names: Vec<_> = all[0].1.iter().map(|row| row.name).collect();
    for name in names {
        // Side by side, so that they meet the same machine.
        let mut group = criterion.benchmark_group(name);
        for (codec, rows) in &mut all {
            let Some(row) = rows.iter_mut().find(|row| row.name == name) else {
                continue; // bytes on 0.9
            };
            group.bench_function(codec.name(), |bencher| {
                bencher.iter_custom(|rounds| {
                    let start = Instant::now();
                    (row.run)(rounds);
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, codecs);
criterion_main!(benches);
