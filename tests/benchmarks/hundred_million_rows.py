"""Reduce 100 million rows of a Parquet file to groups, inside DuckDB and lazy polars.

Writes the file to a temporary folder, a row group at a time so that little memory is needed, and
removes it in the end. Each engine then reduces it in a process of its own; the counts and means of
the groups are held against those that NumPy found while the rows were made. The ratio is to the
time that reading the file's two columns once with pyarrow takes, in a process of its own too.

Run, where pyarrow, duckdb and polars are installed (about a gigabyte of disk space):

    python tests/benchmarks/hundred_million_rows.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from measuring import again, machine, report

GROUPS, CHUNK = 1000, 2_000_000
TARGET = 2.0  # GiB


def main() -> None:
    parser = argparse.ArgumentParser(description="Reduce very many rows.")
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, folder, *rest = options.child
        write(Path(folder), int(rest[0])) if what == "write" else reduce(what, Path(folder))
        return
    print(machine("hierstan", "duckdb", "polars", "pyarrow"))
    with tempfile.TemporaryDirectory() as folder:
        written = again(__file__, "write", folder, options.rows, timeout=3600)
        if written.failure:
            raise SystemExit(written.failure)
        size = (Path(folder) / "rows.parquet").stat().st_size
        print(
            f"{options.rows:,} rows of {GROUPS:,} groups, {size / 1e6:,.0f} MB of Parquet, "
            f"written in {written.seconds:.1f} s, {written.peak:.2f} GiB"
        )
        print(f"\n{'engine':<12} {'process [s]':>11} {'reduce [s]':>10} {'ratio':>6} {'GiB':>5}  ")
        base = 0.0
        for engine in ("read only", "duckdb", "polars"):
            run = again(__file__, engine, folder, timeout=3600)
            if run.failure:
                print(f"{engine:<12} {run.failure}", flush=True)
                continue
            found = run.answer
            base = base or found["seconds"]
            agreement = (
                f"means agree to {found['difference']:.1e} sd, counts "
                f"{'equal' if found['counts'] else 'DIFFER'}; "
                f"{'below' if run.peak < TARGET else 'ABOVE'} {TARGET:g} GiB"
                if "counts" in found
                else ""
            )
            print(
                f"{engine:<12} {run.seconds:>11.2f} {found['seconds']:>10.2f} "
                f"{found['seconds'] / base:>5.1f}x {run.peak:>5.2f}  {agreement}",
                flush=True,
            )


def write(folder: Path, rows: int) -> None:
    """Write the rows, and each group's count and sum as NumPy finds them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    centers = rng.normal(100, 5, GROUPS)
    counts, sums = np.zeros(GROUPS, dtype=np.int64), np.zeros(GROUPS)
    schema = pa.schema([("store", pa.int32()), ("sales", pa.float64())])
    with pq.ParquetWriter(folder / "rows.parquet", schema) as writer:
        for start in range(0, rows, CHUNK):
            group = rng.integers(0, GROUPS, min(CHUNK, rows - start), dtype=np.int32)
            # Hundredths, as prices are, so that the file stays small.
            values = np.round(rng.normal(centers[group], 20), 2)
            writer.write_table(pa.table({"store": group, "sales": values}, schema=schema))
            counts += np.bincount(group, minlength=GROUPS)
            sums += np.bincount(group, weights=values, minlength=GROUPS)
    np.savez(folder / "truth.npz", counts=counts, means=sums / counts)


def reduce(engine: str, folder: Path) -> None:
    """Reduce the file, and compare with what NumPy found."""
    path = str(folder / "rows.parquet")
    if engine == "read only":
        import pyarrow.parquet as pq

        start = time.perf_counter()
        with pq.ParquetFile(path) as file:
            rows = sum(len(batch) for batch in file.iter_batches(1_000_000))
        report(seconds=time.perf_counter() - start, rows=rows)
        return
    import numpy as np

    import hierstan as hs

    if engine == "duckdb":
        import duckdb

        frame = duckdb.read_parquet(path)
    else:
        import polars

        frame = polars.scan_parquet(path)
    start = time.perf_counter()
    data = hs.GroupedData.from_rows(frame, group="store", outcome="sales")
    seconds = time.perf_counter() - start
    cells = data.cells.set_index(data.groups[data.cells["group"].to_numpy()]).sort_index()
    with np.load(folder / "truth.npz") as truth:
        counts, means = truth["counts"], truth["means"]
    report(
        seconds=seconds,
        counts=bool((cells["count"].to_numpy() == counts).all()),
        difference=float(np.abs(cells["y"].to_numpy() - means).max() / 20),
    )


if __name__ == "__main__":
    main()
